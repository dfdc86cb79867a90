//! Filter and projection: every record is evaluated once, before any state; a record that fails is rejected alone.

mod newest;

use crate::{
    changes::{Inserts, Newest},
    evaluate::{Context, EvalError, evaluate},
    keys::{KeyEncoder, take},
    records::{Records, concat_arrays},
};
use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, UInt32Array, cast::AsArray};
use arrow_select::filter::filter_record_batch;
use millrace_contract::{Expr, Source, node, source::SourceKind};
use std::collections::BTreeSet;

/// A record that has no row because its computation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Index into the plan's sources.
    pub source: usize,
    /// Index into the source's records.
    pub row: usize,
    pub reason: &'static str,
    /// What Postgres would say of it.
    pub detail: String,
}

pub(crate) struct Map {
    kind: SourceKind,
    source: String,
    key: Vec<usize>,
    encoder: KeyEncoder,
    delete_when: Option<Expr>,
    filter: Option<Expr>,
    columns: Vec<Expr>,
    context: Context,
}

/// The result of a map: rows of a Stream, or the newest records of every key of a Table.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one of it for a whole batch")]
pub(crate) enum MapChanges {
    Inserts(Inserts),
    Newest(Box<Newest>),
}

impl Map {
    pub fn new(source: &Source, map: &node::Map, context: Context) -> Self {
        let key = source.key.clone();
        let types: Vec<_> = key.iter().map(|&index| source.columns[index].ty).collect();
        Map {
            kind: source.kind,
            source: source.name.clone(),
            encoder: KeyEncoder::new(&types),
            key,
            delete_when: source.delete_when.clone(),
            filter: map.filter.clone(),
            columns: map.columns.clone(),
            context,
        }
    }

    pub fn describe(&self) -> String {
        let filter = if self.filter.is_some() { "filter and " } else { "" };
        format!("{filter}map {} to {} columns", self.source, self.columns.len())
    }

    /// The rows of the records, and those that fail.
    pub fn evaluate(&self, records: &Records) -> (Evaluated, Vec<Rejected>) {
        let mut pieces = Vec::new();
        let mut rejected = Vec::new();
        if !records.is_empty() {
            self.evaluate_range(records, 0, records.len(), &mut pieces, &mut rejected);
        }
        (self.join(pieces), rejected)
    }

    /// What the records change, but for those that are rejected, here or by another scan.
    pub fn changes(&self, records: &Records, mut rows: Evaluated, rejected: &BTreeSet<usize>) -> MapChanges {
        if rows.rows.iter().any(|row| rejected.contains(&(*row as usize))) {
            rows = rows.without(rejected);
        }
        match self.kind {
            SourceKind::Stream => MapChanges::Inserts(inserts(records, rows)),
            SourceKind::Table => {
                MapChanges::Newest(Box::new(newest::newest(records, &self.key, &self.encoder, rows, rejected)))
            }
        }
    }

    /// Evaluates the records from `start` on; when one fails, the halves, down to the record itself.
    fn evaluate_range(
        &self,
        records: &Records,
        start: usize,
        length: usize,
        pieces: &mut Vec<Evaluated>,
        rejected: &mut Vec<Rejected>,
    ) {
        match self.evaluate_piece(records, start, length) {
            Ok(piece) => pieces.push(piece),
            Err(error) if length == 1 => {
                rejected.push(Rejected { source: 0, row: start, reason: "Compute", detail: error.to_string() });
            }
            Err(_) => {
                let half = length / 2;
                self.evaluate_range(records, start, half, pieces, rejected);
                self.evaluate_range(records, start + half, length - half, pieces, rejected);
            }
        }
    }

    fn evaluate_piece(&self, records: &Records, start: usize, length: usize) -> Result<Evaluated, EvalError> {
        let part = records.slice(start, length);
        let mut rows: Vec<u32> = (start as u32..(start + length) as u32).collect();
        let mut batch = part.columns;
        if part.tombstones.true_count() > 0 {
            let present = BooleanArray::new(!part.tombstones.values(), None);
            (rows, batch) = select(rows, &batch, &present);
        }
        if let Some(delete_when) = &self.delete_when {
            let deleted = evaluate(delete_when, &batch, &self.context)?;
            let kept: BooleanArray = deleted.as_boolean().iter().map(|deleted| Some(deleted != Some(true))).collect();
            (rows, batch) = select(rows, &batch, &kept);
        }
        if let Some(filter) = &self.filter {
            let kept = evaluate(filter, &batch, &self.context)?;
            (rows, batch) = select(rows, &batch, kept.as_boolean());
        }
        let columns =
            self.columns.iter().map(|column| evaluate(column, &batch, &self.context)).collect::<Result<_, _>>()?;
        Ok(Evaluated { rows, columns })
    }

    fn join(&self, mut pieces: Vec<Evaluated>) -> Evaluated {
        if pieces.len() == 1 {
            return pieces.remove(0);
        }
        let empty = |column: &Expr| arrow_array::new_empty_array(&crate::value::arrow_type(column.ty()));
        let columns = self.columns.iter().enumerate().map(|(index, column)| match pieces.as_slice() {
            [] => empty(column),
            pieces => concat_arrays(pieces.iter().map(|piece| piece.columns[index].as_ref())),
        });
        Evaluated {
            columns: columns.collect(),
            rows: pieces.iter().flat_map(|piece| piece.rows.iter().copied()).collect(),
        }
    }
}

/// Rows of the query: the record each comes from, and its columns.
pub(crate) struct Evaluated {
    rows: Vec<u32>,
    columns: Vec<ArrayRef>,
}

impl Evaluated {
    fn without(self, rejected: &BTreeSet<usize>) -> Evaluated {
        let left: UInt32Array =
            (0..self.rows.len() as u32).filter(|at| !rejected.contains(&(self.rows[*at as usize] as usize))).collect();
        Evaluated {
            rows: left.values().iter().map(|at| self.rows[*at as usize]).collect(),
            columns: self.columns.iter().map(|column| take(column, &left)).collect(),
        }
    }
}

/// The rows for which `kept` is true; null is not.
fn select(rows: Vec<u32>, batch: &RecordBatch, kept: &BooleanArray) -> (Vec<u32>, RecordBatch) {
    if kept.true_count() == rows.len() {
        return (rows, batch.clone());
    }
    let remaining = rows.iter().zip(kept).filter(|(_, kept)| *kept == Some(true)).map(|(row, _)| *row).collect();
    (remaining, filter_record_batch(batch, kept).expect("the filter has one value a row"))
}

fn inserts(records: &Records, mapped: Evaluated) -> Inserts {
    let position = |row: u32| (records.partitions.value(row as usize), records.offsets.value(row as usize));
    let mut order: Vec<u32> = (0..mapped.rows.len() as u32).collect();
    let sorted = mapped.rows.is_sorted_by_key(|row| position(*row));
    if !sorted {
        order.sort_by_key(|index| position(mapped.rows[*index as usize]));
    }
    let positions = || order.iter().map(|index| position(mapped.rows[*index as usize]));
    let partitions = Int32Array::from_iter_values(positions().map(|(partition, _)| partition));
    let offsets = Int64Array::from_iter_values(positions().map(|(_, offset)| offset));
    let columns = if sorted {
        mapped.columns
    } else {
        let indices = UInt32Array::from(order);
        mapped.columns.iter().map(|column| take(column, &indices)).collect()
    };
    Inserts { columns, partitions, offsets }
}
