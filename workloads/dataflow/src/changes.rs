//! What happened to rows: the values that pass between operators.

use crate::{keys::take, value::arrow_type, version::Version};
use ahash::RandomState;
use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, UInt32Array};
use arrow_row::{RowConverter, SortField};
use millrace_contract::SqlType;
use std::collections::HashMap;

/// Mapped rows of a Stream: each is an insert of its own, sorted by partition and offset.
#[derive(Debug, Clone)]
pub(crate) struct Inserts {
    pub columns: Vec<ArrayRef>,
    pub partitions: Int32Array,
    pub offsets: Int64Array,
}

/// Of every key of a Table the newest record of each partition that has any: nearly always one record a key.
///
/// The rows are in rounds of distinct keys, each sorted by key. The first round has every key and the newest of its
/// records, the next one the second newest of the keys that have two, and so on. A record that loses against another
/// partition's here can still be the newer one of what is stored, if that is of its own partition. So a key takes the
/// first of its rows that is newer than the stored one.
#[derive(Debug, Clone)]
pub(crate) struct Newest {
    /// The length of every round.
    pub rounds: Vec<usize>,
    /// For every row, the row of the first round that has its key.
    pub places: Vec<u32>,
    pub keys: Vec<ArrayRef>,
    /// Mapped columns; all null where the key is deleted.
    pub columns: Vec<ArrayRef>,
    pub deleted: BooleanArray,
    pub partitions: Int32Array,
    pub offsets: Int64Array,
    pub timestamps: Int64Array,
}

impl Newest {
    pub fn len(&self) -> usize {
        self.deleted.len()
    }

    /// The number of distinct keys: those of the first round.
    pub fn key_count(&self) -> usize {
        self.rounds.first().copied().unwrap_or(0)
    }

    pub fn version(&self, row: usize) -> Version {
        Version {
            partition: self.partitions.value(row),
            offset: self.offsets.value(row),
            timestamp: self.timestamps.value(row),
        }
    }
}

/// Rows with weights: +1 inserted, -1 retracted.
#[derive(Debug, Clone)]
pub(crate) struct Weighted {
    pub columns: Vec<ArrayRef>,
    pub weights: Int64Array,
}

impl Weighted {
    /// No rows of these columns.
    pub fn none(types: &[SqlType]) -> Self {
        let columns = types.iter().map(|ty| arrow_array::new_empty_array(&arrow_type(*ty))).collect();
        Weighted { columns, weights: Int64Array::from(Vec::<i64>::new()) }
    }

    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Equal rows as one, with the sum of their weights; those that cancel are gone. Equal to the last digit: 1.0 is
    /// another row than 1.00.
    pub fn consolidated(self) -> Self {
        if self.len() < 2 || self.columns.is_empty() {
            return self;
        }
        let fields = self.columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let converter = RowConverter::new(fields).expect("every type of ours has an order of bytes");
        let rows = converter.convert_columns(&self.columns).expect("the fields are those of the columns");
        let mut first: HashMap<_, usize, RandomState> =
            HashMap::with_capacity_and_hasher(self.len(), RandomState::new());
        let mut weights = self.weights.values().to_vec();
        for row in 0..self.len() {
            let kept = *first.entry(rows.row(row)).or_insert(row);
            if kept != row {
                weights[kept] += weights[row];
                weights[row] = 0;
            }
        }
        let left: UInt32Array = (0..self.len() as u32).filter(|row| weights[*row as usize] != 0).collect();
        Weighted {
            columns: self.columns.iter().map(|column| take(column, &left)).collect(),
            weights: left.values().iter().map(|row| Some(weights[*row as usize])).collect(),
        }
    }
}

/// Rows of a state table that an operator must see before it can go on.
#[derive(Debug, Clone)]
pub struct Wants {
    /// Index into the plan's tables.
    pub table: usize,
    /// The table's columns that are compared: its key, or those of one of its indexes.
    pub lookup: Vec<usize>,
    /// Their values, none null: each once, sorted.
    pub keys: RecordBatch,
    /// Whether the versions of deleted keys are rows too.
    pub deleted: bool,
}

/// What one operator must see: one round trip.
#[derive(Debug, Clone)]
pub struct Request {
    /// Numbers the operator: locks are taken by it, then by bucket.
    pub node: usize,
    /// Other tasks' workers write this state as a matter of course: it is read under the locks of its keys. Otherwise
    /// only where keys are known to lie in several partitions.
    pub takes_turns: bool,
    pub wants: Vec<Wants>,
}

/// Rows to combine with one table by its write rule.
#[derive(Debug, Clone)]
pub struct Write {
    /// Index into the plan's tables.
    pub table: usize,
    /// The table's columns in order, sorted by key, one row a key. For `Merge`: deltas; rows that change nothing are
    /// left out.
    pub rows: RecordBatch,
}
