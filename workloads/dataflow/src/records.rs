//! Decoded records of one source: its columns, and where in the topic each record stands.

use crate::value::arrow_type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow_schema::{Field, Schema, SchemaRef};
use millrace_contract::{Source, SqlType};
use std::sync::Arc;

#[derive(Debug, Clone)]
pub struct Records {
    /// The source's columns, in its order.
    pub columns: RecordBatch,
    /// True for a record without a value: only its key columns are set.
    pub tombstones: BooleanArray,
    pub partitions: Int32Array,
    pub offsets: Int64Array,
    /// Milliseconds since 1970.
    pub timestamps: Int64Array,
}

impl Records {
    /// The Arrow schema of a source's columns.
    pub fn schema(source: &Source) -> SchemaRef {
        schema(source.columns.iter().map(|column| (column.name.as_str(), column.ty)))
    }

    /// Records from the columns of `source`, one array each.
    pub fn new(
        source: &Source,
        columns: Vec<ArrayRef>,
        tombstones: BooleanArray,
        partitions: Int32Array,
        offsets: Int64Array,
        timestamps: Int64Array,
    ) -> Self {
        let columns = batch(Records::schema(source), columns, offsets.len());
        Records { columns, tombstones, partitions, offsets, timestamps }
    }

    /// No records of `source`.
    pub fn empty(source: &Source) -> Self {
        Records {
            columns: RecordBatch::new_empty(Records::schema(source)),
            tombstones: BooleanArray::from(Vec::<bool>::new()),
            partitions: Int32Array::from(Vec::<i32>::new()),
            offsets: Int64Array::from(Vec::<i64>::new()),
            timestamps: Int64Array::from(Vec::<i64>::new()),
        }
    }

    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `length` records from `offset` on, without copying them.
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        Records {
            columns: self.columns.slice(offset, length),
            tombstones: self.tombstones.slice(offset, length),
            partitions: self.partitions.slice(offset, length),
            offsets: self.offsets.slice(offset, length),
            timestamps: self.timestamps.slice(offset, length),
        }
    }

    /// All records of `parts`, which are of one source and at least one, in order.
    pub fn concat(parts: &[Records]) -> Self {
        if let [only] = parts {
            return only.clone();
        }
        let schema = parts[0].columns.schema();
        let columns: Vec<ArrayRef> = (0..schema.fields().len())
            .map(|index| concat_arrays(parts.iter().map(|part| part.columns.column(index).as_ref())))
            .collect();
        let count = parts.iter().map(Records::len).sum();
        Records {
            columns: batch(schema, columns, count),
            tombstones: concat_typed(parts.iter().map(|part| &part.tombstones)),
            partitions: concat_typed(parts.iter().map(|part| &part.partitions)),
            offsets: concat_typed(parts.iter().map(|part| &part.offsets)),
            timestamps: concat_typed(parts.iter().map(|part| &part.timestamps)),
        }
    }
}

/// An Arrow schema of nullable columns.
pub(crate) fn schema<'a>(columns: impl Iterator<Item = (&'a str, SqlType)>) -> SchemaRef {
    Arc::new(Schema::new(columns.map(|(name, ty)| Field::new(name, arrow_type(ty), true)).collect::<Vec<_>>()))
}

/// The same, of columns without names.
pub(crate) fn types_schema(types: &[SqlType]) -> SchemaRef {
    let names: Vec<String> = (0..types.len()).map(|index| format!("c{index}")).collect();
    schema(names.iter().map(String::as_str).zip(types.iter().copied()))
}

/// A batch that may have rows and no columns.
pub(crate) fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, count: usize) -> RecordBatch {
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(count)))
        .expect("every column was made for its field, one value a row")
}

pub(crate) fn concat_arrays<'a>(arrays: impl Iterator<Item = &'a dyn Array>) -> ArrayRef {
    let arrays: Vec<&dyn Array> = arrays.collect();
    match arrays.as_slice() {
        [] => new_null_array(&arrow_schema::DataType::Null, 0),
        arrays => arrow_select::concat::concat(arrays).expect("parts of one column have one type"),
    }
}

fn concat_typed<'a, A: Array + Clone + 'static>(arrays: impl Iterator<Item = &'a A>) -> A {
    let joined = concat_arrays(arrays.map(|array| array as &dyn Array));
    joined.as_any().downcast_ref::<A>().expect("parts of one column have one type").clone()
}
