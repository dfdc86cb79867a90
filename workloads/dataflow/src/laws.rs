//! The law of every dataflow: however its input is cut into epochs, and wherever the worker restarts, the stored
//! result is that of the plain query over all records. For tests of plans, here and in crates that compile them.

mod history;
mod reference;

pub use history::{History, Random};
pub use reference::{Reference, reference};

use crate::{
    changes::Write,
    driver::{Dataflow, Mapped},
    memory::MemoryStore,
    records::Records,
};
use millrace_contract::{Plan, source::SourceKind};
use std::{collections::BTreeSet, sync::Arc};

/// Applies the partitions of `logs`, those of every source, in random order, random cuts and with random restarts, and
/// compares the stored result with the plain query. Panics with both where they differ.
pub fn check_incremental(plan: &Arc<Plan>, logs: &[Vec<Records>], random: &mut Random) {
    let expected = reference(plan, logs);
    let mut store = MemoryStore::new(plan);
    let mut rejected = BTreeSet::new();
    let mut dataflow = start(plan);
    let mut next: Vec<Vec<usize>> = logs.iter().map(|log| vec![0; log.len()]).collect();
    while let Some(chosen) = choose(logs, &next, random) {
        let mut parts: Vec<Vec<Records>> = plan.sources.iter().map(|source| vec![Records::empty(source)]).collect();
        for (source, partition, length) in chosen {
            let at = &mut next[source][partition];
            parts[source].push(logs[source][partition].slice(*at, length));
            *at += length;
        }
        let records: Vec<Records> = parts.iter().map(|parts| Records::concat(parts)).collect();
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
            let records = &records[failed.source];
            let position = (failed.source, records.partitions.value(failed.row), records.offsets.value(failed.row));
            assert!(rejected.insert(position), "the record at {position:?} is rejected twice");
        }
        store.commit(&writes).unwrap_or_else(|error| panic!("an epoch is refused: {error}"));
        if plan.sources.iter().all(|source| source.kind == SourceKind::Table) && random.one_in(4) {
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

/// What an epoch of these records, one batch a source, writes.
pub fn run(dataflow: &Dataflow, store: &MemoryStore, records: &[Records]) -> (Vec<Write>, Mapped) {
    let mapped = dataflow.map(records);
    let mut epoch = dataflow.epoch(&mapped);
    let fails = |error| -> ! { panic!("an epoch fails: {error}") };
    while let Some(request) = epoch.request().unwrap_or_else(|error| fails(error)) {
        epoch.supply(&store.fetch(&request)).unwrap_or_else(|error| fails(error));
    }
    let writes = epoch.writes().unwrap_or_else(|error| fails(error));
    (writes, mapped)
}

/// Some records of some partitions that have any left, as (source, partition, number); none when all are read.
fn choose(logs: &[Vec<Records>], next: &[Vec<usize>], random: &mut Random) -> Option<Vec<(usize, usize, usize)>> {
    let all =
        logs.iter().enumerate().flat_map(|(source, log)| (0..log.len()).map(move |partition| (source, partition)));
    let rest = |source: usize, partition: usize| logs[source][partition].len() - next[source][partition];
    let left: Vec<(usize, usize)> = all.filter(|&(source, partition)| rest(source, partition) > 0).collect();
    let first = *left.get(random.below(left.len().max(1)))?;
    let largest = if random.one_in(3) { 100 } else { 5 };
    let chosen: Vec<(usize, usize)> = left.into_iter().filter(|place| *place == first || random.one_in(4)).collect();
    let length = |(source, partition), random: &mut Random| {
        (source, partition, (1 + random.below(largest)).min(rest(source, partition)))
    };
    Some(chosen.into_iter().map(|place| length(place, random)).collect())
}
