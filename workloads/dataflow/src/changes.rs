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

/// The newest record of every key of a Table, sorted by key.
#[derive(Debug, Clone)]
pub(crate) struct Newest {
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
