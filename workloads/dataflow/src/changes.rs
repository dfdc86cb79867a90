//! What happened to rows: the values that pass between operators.

use crate::version::Version;
use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch};

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

/// Rows of a state table that an operator must see before it can go on.
#[derive(Debug, Clone)]
pub struct Wants {
    /// Index into the plan's tables.
    pub table: usize,
    /// The table's key columns: distinct keys, sorted.
    pub keys: RecordBatch,
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
