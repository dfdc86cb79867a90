//! One epoch on its way through the nodes: what it must see, one request after the other, and what it writes.

use super::{Dataflow, Mapped, Sink, Stage};
use crate::{
    changes::{Inserts, Request, Weighted, Write},
    evaluate::EvalError,
    operator::map::MapChanges,
};
use arrow_array::{Int64Array, RecordBatch};

/// Asks with `request`, is answered with `supply`, until nothing is asked any more; then `writes` has everything. All is
/// read before anything is written: every answer is of the time before this epoch.
pub struct Epoch<'a> {
    dataflow: &'a Dataflow,
    mapped: &'a Mapped,
    /// The changes of the nodes that are done.
    done: Vec<Weighted>,
    writes: Vec<Write>,
}

impl<'a> Epoch<'a> {
    pub(super) fn new(dataflow: &'a Dataflow, mapped: &'a Mapped) -> Self {
        Epoch { dataflow, mapped, done: Vec::new(), writes: Vec::new() }
    }

    /// What the next operator that reads state must see; none: everything is seen. An error is of the whole epoch.
    pub fn request(&mut self) -> Result<Option<Request>, EvalError> {
        while self.done.len() < self.dataflow.stages.len() {
            let wants = match self.stage() {
                (Stage::Scan(scan), MapChanges::Newest(newest)) => {
                    scan.latest.iter().filter_map(|latest| latest.wants(newest)).collect()
                }
                (Stage::Scan(_), MapChanges::Inserts(_)) => Vec::new(),
                (Stage::Operator(operator), _) => operator.wants(&self.inputs()),
            };
            if wants.iter().any(|want| want.keys.num_rows() > 0) {
                let node = self.done.len();
                let takes_turns = self.dataflow.plan.nodes[node].operator.takes_turns();
                return Ok(Some(Request { node, takes_turns, wants }));
            }
            self.supply(&[])?;
        }
        Ok(None)
    }

    /// Answers the last request: for every want the rows that exist, all columns of its table, in any order.
    pub fn supply(&mut self, state: &[RecordBatch]) -> Result<(), EvalError> {
        let changes = match self.stage() {
            (Stage::Scan(_), MapChanges::Inserts(inserts)) => inserted(inserts),
            (Stage::Scan(scan), MapChanges::Newest(newest)) => match &scan.latest {
                Some(latest) => {
                    let (changes, write) = latest.apply(newest, state.first());
                    self.writes.extend(write);
                    changes.consolidated()
                }
                // An upsert has no changes for anybody: the store compares versions.
                None => Weighted::none(&self.dataflow.plan.nodes[self.done.len()].columns),
            },
            (Stage::Operator(operator), _) => {
                let mut writes = Vec::new();
                let changes = operator.apply(&self.inputs(), state, &mut writes)?;
                self.writes.append(&mut writes);
                changes
            }
        };
        self.done.push(changes);
        Ok(())
    }

    /// What to write: state tables first, then `rows`, then values tables. A table may have several writes, in their
    /// order.
    pub fn writes(mut self) -> Result<Vec<Write>, EvalError> {
        let last = self.done.last();
        let of_sink = match (&self.dataflow.sink, self.mapped.changes.last(), last) {
            (Sink::Append(append), Some(MapChanges::Inserts(inserts)), _) => {
                append.apply(inserts).into_iter().collect()
            }
            (Sink::Upsert(upsert), Some(MapChanges::Newest(newest)), _) => upsert.apply(newest),
            (Sink::Keyed(keep), _, Some(changes)) => keep.write(changes).into_iter().collect(),
            (Sink::Aggregate(aggregate), _, Some(changes)) => aggregate.apply(changes)?,
            _ => unreachable!("a plan has a node, and rows are appended or upserted as their scan says"),
        };
        self.writes.extend(of_sink);
        Ok(self.writes)
    }

    /// The present node, and what its scan read; another node is given any scan's.
    fn stage(&self) -> (&'a Stage, &'a MapChanges) {
        let node = self.done.len();
        let is_scan = |stage: &&Stage| matches!(stage, Stage::Scan(_));
        let scans = self.dataflow.stages[..node].iter().filter(is_scan).count();
        let changes = &self.mapped.changes[scans.min(self.mapped.changes.len() - 1)];
        (&self.dataflow.stages[node], changes)
    }

    fn inputs(&self) -> Vec<&Weighted> {
        let node = &self.dataflow.plan.nodes[self.done.len()];
        node.operator.inputs().into_iter().map(|input| &self.done[input]).collect()
    }
}

fn inserted(inserts: &Inserts) -> Weighted {
    Weighted { columns: inserts.columns.clone(), weights: Int64Array::from(vec![1; inserts.offsets.len()]) }
}
