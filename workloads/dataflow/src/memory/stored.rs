//! One table in memory, and how a written row combines with the one that is there.

use super::TextRow;
use crate::{
    function::EvalError,
    value::{ColumnBuilder, Decimal, ValueError, canonical_keys, comparator, print_any},
    version::Version,
};
use arrow_array::{ArrayRef, RecordBatch};
use chrono_tz::Tz;
use millrace_contract::{
    SqlType, Table,
    table::{Extreme, Merge, WriteRule},
};
use std::collections::{BTreeMap, BTreeSet};

/// The texts of a key's columns, equal values made identical.
pub(super) type Key = TextRow;

#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub table: Table,
    pub rows: BTreeMap<Key, TextRow>,
}

impl Stored {
    pub fn new(table: Table) -> Self {
        let mut stored = Stored { rows: BTreeMap::new(), table };
        if let WriteRule::Merge { keep_empty: true, .. } = stored.table.write {
            let first = |column: &millrace_contract::table::Column| (!column.nullable).then(|| "0".to_owned());
            let row: TextRow = stored.table.columns.iter().map(first).collect();
            let key = key_of(&row, &stored.table.key, &stored.key_types());
            stored.rows.insert(key, row);
        }
        stored
    }

    pub fn key_types(&self) -> Vec<SqlType> {
        self.table.key.iter().map(|&index| self.table.columns[index].ty).collect()
    }

    /// A deleted key of a versioned table.
    pub fn is_deleted(&self, row: &TextRow) -> bool {
        self.table.write == WriteRule::Versioned && row.last().is_some_and(|last| last.as_deref() == Some("t"))
    }

    /// Returns the keys that were written.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<BTreeSet<Key>, EvalError> {
        let types = self.key_types();
        let mut touched = BTreeSet::new();
        for row in texts(rows) {
            let key = key_of(&row, &self.table.key, &types);
            assert!(touched.insert(key.clone()), "{} is written twice in one batch: {key:?}", self.table.name);
            let combined = match (self.rows.get(&key), &self.table.write) {
                (None, _) => row,
                (Some(_), WriteRule::Append) => panic!("{} has {key:?} already", self.table.name),
                (Some(old), WriteRule::Versioned) => match version(&row).replacing(version(old)) {
                    Some(version) => with_timestamp(row, version.timestamp),
                    None => continue,
                },
                (Some(_), WriteRule::Keyed) => row,
                (Some(old), WriteRule::Merge { .. }) => self.merge(old, &row)?,
            };
            self.rows.insert(key, combined);
        }
        Ok(touched)
    }

    fn merge(&self, old: &TextRow, new: &TextRow) -> Result<TextRow, EvalError> {
        let columns = self.table.columns.iter().enumerate().map(|(index, column)| {
            let (old, new) = (&old[index], &new[index]);
            Ok(match (column.merge, old, new) {
                (Merge::Replace | Merge::Derived, old, _) => old.clone(),
                (Merge::Add, Some(old), Some(new)) => Some(add(column.ty, old, new)?),
                (Merge::Add, ..) => panic!("{} is added to and never null", column.name),
                (Merge::Least | Merge::Greatest, None, other) | (Merge::Least | Merge::Greatest, other, None) => {
                    other.clone()
                }
                (merge, Some(old), Some(new)) => {
                    let larger = is_less(column.ty, old, new);
                    Some(if larger == (merge == Merge::Greatest) { new.clone() } else { old.clone() })
                }
            })
        });
        columns.collect()
    }

    /// Sets a `Derived` column of the touched groups to the smallest or largest value that is counted for them.
    pub fn derive(&mut self, extreme: &Extreme, values: &Stored, touched: &BTreeSet<Key>) {
        let ty = self.table.columns[extreme.column].ty;
        for group in touched {
            let best = values
                .rows
                .iter()
                .filter(|(key, row)| key.starts_with(group) && row.last() != Some(&Some("0".to_owned())))
                .filter_map(|(_, row)| row[group.len()].clone())
                .reduce(|best, next| if is_less(ty, &best, &next) == extreme.largest { next } else { best });
            if let Some(row) = self.rows.get_mut(group) {
                row[extreme.column] = best;
            }
        }
    }

    pub fn remove_empty(&mut self, touched: &BTreeSet<Key>) {
        for key in touched {
            let count = self.rows.get(key).and_then(|row| row.last().cloned().flatten());
            assert!(!count.as_deref().is_some_and(|count| count.starts_with('-')), "{key:?} counts {count:?}");
            if count.as_deref() == Some("0") {
                self.rows.remove(key);
            }
        }
    }
}

/// All rows of a batch as text.
pub(super) fn texts(rows: &RecordBatch) -> Vec<TextRow> {
    let text = |row| rows.columns().iter().map(|column| print_any(column, row, Tz::UTC)).collect();
    (0..rows.num_rows()).map(text).collect()
}

/// The columns at `columns` of a row, equal values made identical; `types` are theirs.
pub(super) fn key_of(row: &TextRow, columns: &[usize], types: &[SqlType]) -> Key {
    let canonical = |(&index, ty): (&usize, &SqlType)| {
        let text = row[index].as_ref()?;
        print_any(&canonical_keys(*ty, &single(*ty, text)), 0, Tz::UTC)
    };
    columns.iter().zip(types).map(canonical).collect()
}

fn single(ty: SqlType, text: &str) -> ArrayRef {
    let mut builder = ColumnBuilder::new(ty, 1);
    builder.append_text(text).expect("what was printed is read back");
    builder.finish()
}

fn is_less(ty: SqlType, left: &str, right: &str) -> bool {
    comparator(ty, &single(ty, left), &single(ty, right))(0, 0).is_lt()
}

fn add(ty: SqlType, left: &str, right: &str) -> Result<String, EvalError> {
    if matches!(ty, SqlType::Real | SqlType::DoublePrecision) {
        let number = |text: &str| crate::value::parse_double(text);
        let sum = number(left)? + number(right)?;
        return Ok(if ty == SqlType::Real {
            crate::value::print_real(sum as f32)
        } else {
            crate::value::print_double(sum)
        });
    }
    let sum = (&Decimal::parse(left)? + &Decimal::parse(right)?).checked()?.to_string();
    if ty == SqlType::BigInt {
        crate::value::parse_bigint(&sum).map_err(|_| ValueError::out_of_range("bigint"))?;
    }
    Ok(sum)
}

fn version(row: &TextRow) -> Version {
    let column = |from_end: usize| {
        let text = row[row.len() - from_end].as_deref().expect("version columns are never null");
        text.parse().expect("version columns are integers")
    };
    Version { partition: column(4) as i32, offset: column(3), timestamp: column(2) }
}

fn with_timestamp(mut row: TextRow, timestamp: i64) -> TextRow {
    let place = row.len() - 2;
    row[place] = Some(timestamp.to_string());
    row
}
