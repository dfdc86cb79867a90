//! Keys as bytes: equal in SQL exactly when their bytes are equal, and in one order for every worker.
//!
//! The order is that of the key columns in the table's key order, each made canonical (1.00 as 1, -0 as 0) and encoded
//! so that bytes compare as values do, nulls first; numeric and jsonb sort by their canonical text. All writes and
//! locks follow it: two workers that touch the same rows touch them in the same order.

use crate::value::{arrow_type, canonical_keys};
use ahash::RandomState;
use arrow_array::{ArrayRef, Int16Array, UInt32Array};
use arrow_row::{Row, RowConverter, Rows, SortField};
use millrace_contract::SqlType;
use std::{collections::HashMap, sync::Arc};

pub(crate) struct KeyEncoder {
    types: Vec<SqlType>,
    converter: RowConverter,
}

/// What finds a row by the bytes of its key.
pub(crate) type KeyMap<'a> = HashMap<Row<'a>, u32, RandomState>;

impl KeyEncoder {
    pub fn new(types: &[SqlType]) -> Self {
        let fields = types.iter().map(|ty| SortField::new(arrow_type(*ty))).collect();
        let converter = RowConverter::new(fields).expect("every type of ours has an order of bytes");
        KeyEncoder { types: types.to_vec(), converter }
    }

    /// The bytes of every row's key.
    pub fn encode(&self, columns: &[ArrayRef]) -> Rows {
        let canonical: Vec<ArrayRef> =
            self.types.iter().zip(columns).map(|(ty, column)| canonical_keys(*ty, column)).collect();
        self.converter.convert_columns(&canonical).expect("the columns have the encoder's types")
    }
}

/// An empty map with room for `capacity` keys.
pub(crate) fn key_map<'a>(capacity: usize) -> KeyMap<'a> {
    KeyMap::with_capacity_and_hasher(capacity, RandomState::new())
}

/// `indices` of `rows`, sorted by the bytes of their keys.
pub(crate) fn sorted_by_key(rows: &Rows, indices: impl Iterator<Item = u32>) -> Vec<u32> {
    // The first bytes decide nearly always, without a jump to the row itself.
    let mut prefixed: Vec<(u128, u32)> =
        indices.map(|index| (prefix(rows.row(index as usize).data()), index)).collect();
    prefixed.sort_unstable_by(|left, right| {
        left.0.cmp(&right.0).then_with(|| rows.row(left.1 as usize).cmp(&rows.row(right.1 as usize)))
    });
    prefixed.into_iter().map(|(_, index)| index).collect()
}

fn prefix(bytes: &[u8]) -> u128 {
    let mut first = [0u8; 16];
    let length = bytes.len().min(16);
    first[..length].copy_from_slice(&bytes[..length]);
    u128::from_be_bytes(first)
}

/// The rows of `array` at `indices`; a null index gives null.
pub(crate) fn take(array: &ArrayRef, indices: &UInt32Array) -> ArrayRef {
    arrow_select::take::take(array, indices, None).expect("the indices are of rows of the array")
}

/// The key column of a table without key columns of its own: `count` times 0.
pub(crate) fn single_key(count: usize) -> ArrayRef {
    Arc::new(Int16Array::from(vec![0i16; count]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Float64Array, StringArray};

    #[test]
    fn values_that_are_equal_in_sql_have_equal_bytes() {
        let numerics: ArrayRef = Arc::new(StringArray::from(vec!["1.0", "1.00", "1", "10", "0.00", "0"]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0, 2.0]));
        let numeric_rows = KeyEncoder::new(&[SqlType::Numeric]).encode(&[numerics]);
        let float_rows = KeyEncoder::new(&[SqlType::DoublePrecision]).encode(&[floats]);
        assert_eq!(numeric_rows.row(0), numeric_rows.row(1));
        assert_eq!(numeric_rows.row(0), numeric_rows.row(2));
        assert_ne!(numeric_rows.row(0), numeric_rows.row(3));
        assert_eq!(numeric_rows.row(4), numeric_rows.row(5));
        assert_eq!(float_rows.row(0), float_rows.row(1));
        assert_eq!(float_rows.row(2), float_rows.row(3));
        assert_ne!(float_rows.row(4), float_rows.row(5));
    }

    #[test]
    fn keys_are_sorted_by_all_their_bytes() {
        let names: ArrayRef = Arc::new(StringArray::from(vec![
            Some("a name that is longer than the prefix 2"),
            Some("a name that is longer than the prefix 1"),
            None,
            Some("홍길동"),
        ]));
        let rows = KeyEncoder::new(&[SqlType::Text]).encode(&[names]);
        assert_eq!(sorted_by_key(&rows, 0..4), [2, 1, 0, 3]);
    }
}
