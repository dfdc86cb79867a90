//! Folds weighted rows into one delta a group, which the store merges blindly into what is there.

mod extreme;
mod groups;
mod sum;

use super::{key_types, table_schema};
use crate::{
    changes::{Weighted, Write},
    function::EvalError,
    keys::{KeyEncoder, single_key},
    records::batch,
};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow_schema::SchemaRef;
use groups::Groups;
use millrace_contract::{Plan, SqlType, plan::Call};
use std::sync::Arc;

pub(crate) struct Aggregate {
    table: usize,
    name: String,
    schema: SchemaRef,
    encoder: KeyEncoder,
    /// The first columns are the group.
    group_count: usize,
    calls: Vec<Call>,
    /// Types of the columns.
    types: Vec<SqlType>,
    /// For every call: the table that counts its values.
    values: Vec<Option<ValuesTable>>,
}

/// A table of (group, value, `_count`), for min and max over rows that can be retracted.
struct ValuesTable {
    table: usize,
    schema: SchemaRef,
    encoder: KeyEncoder,
}

/// The delta of one call: its columns in `rows`, and for which groups it changes anything.
struct Folded {
    columns: Vec<(usize, ArrayRef)>,
    changes: Vec<bool>,
}

impl Aggregate {
    pub fn new(plan: &Plan, types: &[SqlType], groups: usize, calls: &[Call], rows: usize) -> Self {
        let table = &plan.tables[rows];
        let values = calls.iter().map(|call| match call {
            Call::Extreme { values: Some(index), .. } => {
                let table = &plan.tables[*index];
                let encoder = KeyEncoder::new(&key_types(table));
                Some(ValuesTable { table: *index, schema: table_schema(table), encoder })
            }
            Call::Extreme { values: None, .. } | Call::Count { .. } | Call::Sum { .. } => None,
        });
        Aggregate {
            table: rows,
            name: table.name.clone(),
            schema: table_schema(table),
            encoder: KeyEncoder::new(&key_types(table)),
            group_count: groups,
            values: values.collect(),
            calls: calls.to_vec(),
            types: types.to_vec(),
        }
    }

    pub fn describe(&self) -> String {
        format!("merge {} aggregates of {} group columns into {}", self.calls.len(), self.group_count, self.name)
    }

    /// Deltas of the groups, then those of the values tables. A group whose values changed is written even when its
    /// delta is zero: its extremes are computed again.
    pub fn apply(&self, changes: &Weighted) -> Result<Vec<Write>, EvalError> {
        let count = changes.weights.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let keys = self.keys(&changes.columns, count);
        let encoded = self.encoder.encode(&keys);
        let groups = Groups::new(&encoded);
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.schema.fields().len()];
        for (index, key) in groups.take(&keys).into_iter().enumerate() {
            columns[index] = Some(key);
        }
        let row_counts = count_rows(&groups, &changes.weights, None);
        let mut touched: Vec<bool> = row_counts.iter().map(|count| *count != 0).collect();
        let mut values = Vec::new();
        for (call, table) in self.calls.iter().zip(&self.values) {
            let folded = match table {
                Some(table) => self.count_values(table, call, &keys, changes, &groups, &mut values),
                None => self.fold(call, changes, &groups)?,
            };
            for (index, column) in folded.columns {
                columns[index] = Some(column);
            }
            touched.iter_mut().zip(folded.changes).for_each(|(touched, changed)| *touched |= changed);
        }
        if let Some(last) = columns.last_mut() {
            *last = Some(Arc::new(Int64Array::from(row_counts)));
        }
        let columns = columns.into_iter().map(|column| column.expect("every column is a key, of a call, or the count"));
        let mut writes: Vec<Write> = keep(self.table, &self.schema, columns.collect(), &touched).into_iter().collect();
        writes.append(&mut values);
        Ok(writes)
    }

    fn keys(&self, columns: &[ArrayRef], count: usize) -> Vec<ArrayRef> {
        if self.group_count == 0 { vec![single_key(count)] } else { columns[..self.group_count].to_vec() }
    }

    fn fold(&self, call: &Call, changes: &Weighted, groups: &Groups) -> Result<Folded, EvalError> {
        match call {
            Call::Count { argument, column } => {
                let argument = argument.map(|argument| &changes.columns[argument]);
                let counts = count_rows(groups, &changes.weights, argument);
                let changes = counts.iter().map(|count| *count != 0).collect();
                Ok(Folded { columns: vec![(*column, Arc::new(Int64Array::from(counts)))], changes })
            }
            Call::Sum { argument, column, count } => {
                let values = &changes.columns[*argument];
                let sums = sum::sum(self.types[*argument], values, &changes.weights, groups)?;
                let counts = count_rows(groups, &changes.weights, Some(values));
                let changes = counts.iter().zip(sums.changes).map(|(count, changed)| *count != 0 || changed).collect();
                let counts: ArrayRef = Arc::new(Int64Array::from(counts));
                Ok(Folded { columns: vec![(*column, sums.column), (*count, counts)], changes })
            }
            Call::Extreme { argument, column, largest, values: _ } => {
                let values = &changes.columns[*argument];
                let extremes = extreme::extreme(self.types[*argument], values, *largest, groups);
                let changes = (0..extremes.len()).map(|group| extremes.is_valid(group)).collect();
                Ok(Folded { columns: vec![(*column, extremes)], changes })
            }
        }
    }

    /// Counts how often each value of each group came and went.
    fn count_values(
        &self,
        table: &ValuesTable,
        call: &Call,
        keys: &[ArrayRef],
        changes: &Weighted,
        groups: &Groups,
        writes: &mut Vec<Write>,
    ) -> Folded {
        let Call::Extreme { argument, column, .. } = call else { unreachable!("only extremes have a values table") };
        let values = &changes.columns[*argument];
        let rows: UInt32Array = (0..values.len() as u32).filter(|row| values.is_valid(*row as usize)).collect();
        let key: Vec<ArrayRef> = keys.iter().chain([values]).map(|column| crate::keys::take(column, &rows)).collect();
        let weights =
            Int64Array::from_iter_values(rows.values().iter().map(|row| changes.weights.value(*row as usize)));
        let encoded = table.encoder.encode(&key);
        let value_groups = Groups::new(&encoded);
        let counts = count_rows(&value_groups, &weights, None);
        let changed: Vec<bool> = counts.iter().map(|count| *count != 0).collect();

        let mut touched = vec![false; groups.len()];
        for (value_group, row) in value_groups.first_rows().enumerate() {
            touched[groups.group_of(rows.value(row as usize) as usize)] |= changed[value_group];
        }
        let mut columns = value_groups.take(&key);
        columns.push(Arc::new(Int64Array::from(counts)));
        writes.extend(keep(table.table, &table.schema, columns, &changed));
        let derived = arrow_array::new_null_array(self.schema.field(*column).data_type(), groups.len());
        Folded { columns: vec![(*column, derived)], changes: touched }
    }
}

/// The rows of a write that change anything; none if no row does.
fn keep(table: usize, schema: &SchemaRef, columns: Vec<ArrayRef>, changed: &[bool]) -> Option<Write> {
    let count = changed.iter().filter(|changed| **changed).count();
    if count == 0 {
        return None;
    }
    let rows = batch(schema.clone(), columns, changed.len());
    if count == changed.len() {
        return Some(Write { table, rows });
    }
    let filter = BooleanArray::from(changed.to_vec());
    let rows = arrow_select::filter::filter_record_batch(&rows, &filter).expect("the filter has one value a row");
    Some(Write { table, rows })
}

/// The sum of weights of every group, over the rows where `argument` is not null.
fn count_rows(groups: &Groups, weights: &Int64Array, argument: Option<&ArrayRef>) -> Vec<i64> {
    let mut counts = vec![0i64; groups.len()];
    for (row, group) in groups.of_rows().enumerate() {
        if argument.is_none_or(|argument| argument.is_valid(row)) {
            counts[group] += weights.value(row);
        }
    }
    counts
}
