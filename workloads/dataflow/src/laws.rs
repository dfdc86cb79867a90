//! The law of every dataflow: however its input is cut into epochs, and wherever the worker restarts, the stored
//! result is that of the plain query over all records. For tests of plans, here and in crates that compile them.

mod history;
mod reference;

pub use history::{History, Random};
pub use reference::{Reference, reference};

use crate::{driver::Dataflow, memory::MemoryStore, records::Records};
use millrace_contract::{Plan, source::SourceKind};
use std::{collections::BTreeSet, sync::Arc};

/// Applies the partitions of `log` in random order, random cuts and with random restarts, and compares the stored
/// result with the plain query. Panics with both where they differ.
pub fn check_incremental(plan: &Arc<Plan>, log: &[Records], random: &mut Random) {
    let expected = reference(plan, log);
    let mut store = MemoryStore::new(plan);
    let mut rejected = BTreeSet::new();
    let mut dataflow = start(plan);
    let mut next = vec![0usize; log.len()];
    while let Some(parts) = choose(log, &next, random) {
        let parts: Vec<Records> = parts
            .into_iter()
            .map(|(partition, length)| {
                let part = log[partition].slice(next[partition], length);
                next[partition] += length;
                part
            })
            .collect();
        let records = Records::concat(&parts);
        if random.one_in(4) {
            dataflow = start(plan);
        }
        if random.one_in(4) {
            // Computed, and never committed: the worker dies here, and its successor begins again from the store.
            let _ = run(&dataflow, &store, &records);
            dataflow = start(plan);
        }
        let (writes, mapped) = run(&dataflow, &store, &records);
        for failed in mapped.rejected {
            let position = (records.partitions.value(failed.row), records.offsets.value(failed.row));
            assert!(rejected.insert(position), "the record at {position:?} is rejected twice");
        }
        store.commit(&writes).unwrap_or_else(|error| panic!("an epoch is refused: {error}"));
        if plan.source.kind == SourceKind::Table && random.one_in(4) {
            let (writes, _) = run(&dataflow, &store, &records);
            store.commit(&writes).unwrap_or_else(|error| panic!("an epoch read again is refused: {error}"));
        }
    }
    assert_eq!(rejected, expected.rejected, "rejected records: found, then expected");
    assert_eq!(store.result(), expected.rows, "rows: found, then expected");
}

fn start(plan: &Arc<Plan>) -> Dataflow {
    Dataflow::new(plan.clone()).unwrap_or_else(|error| panic!("{error}"))
}

fn run(
    dataflow: &Dataflow,
    store: &MemoryStore,
    records: &Records,
) -> (Vec<crate::changes::Write>, crate::driver::Mapped) {
    let mapped = dataflow.map(records);
    let state = dataflow.wants(&mapped).map(|wants| store.fetch(&wants));
    let writes = dataflow.apply(&mapped, state.as_ref()).unwrap_or_else(|error| panic!("an epoch fails: {error}"));
    (writes, mapped)
}

/// Some records of some partitions that have any left; none when all are read.
fn choose(log: &[Records], next: &[usize], random: &mut Random) -> Option<Vec<(usize, usize)>> {
    let left: Vec<usize> = (0..log.len()).filter(|partition| next[*partition] < log[*partition].len()).collect();
    let first = *left.get(random.below(left.len().max(1)))?;
    let largest = if random.one_in(3) { 100 } else { 5 };
    let chosen: Vec<usize> = left.into_iter().filter(|partition| *partition == first || random.one_in(4)).collect();
    let length =
        |partition: usize, random: &mut Random| (1 + random.below(largest)).min(log[partition].len() - next[partition]);
    Some(chosen.into_iter().map(|partition| (partition, length(partition, random))).collect())
}
