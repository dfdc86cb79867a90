//! Joins two inputs by equal keys: what changed on one side meets what is stored on the other, and what changed there.

mod pairs;

use super::Operator;
use crate::{
    changes::{Wants, Weighted, Write},
    evaluate::{Context, EvalError, evaluate},
    keys::{KeyEncoder, sorted_by_key, take},
    records::{batch, concat_arrays, schema, types_schema},
    value::arrow_type,
};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array, cast::AsArray, new_null_array};
use arrow_row::Rows;
use arrow_schema::SchemaRef;
use millrace_contract::{
    Expr, SqlType, Table,
    node::{JoinKind, Side},
};
use pairs::Pairs;
use std::collections::BTreeSet;

/// One side, and how its stored rows are found.
pub(crate) struct Input {
    side: Side,
    types: Vec<SqlType>,
    lookup_schema: SchemaRef,
    table: String,
}

impl Input {
    pub fn new(side: &Side, types: &[SqlType], table: &Table) -> Self {
        let lookup = side.lookup.iter().map(|&index| &table.columns[index]);
        Input {
            side: side.clone(),
            types: types.to_vec(),
            lookup_schema: schema(lookup.map(|column| (column.name.as_str(), column.ty))),
            table: table.name.clone(),
        }
    }

    fn keys(&self, changes: &Weighted) -> Vec<ArrayRef> {
        self.side.keys.iter().map(|&column| changes.columns[column].clone()).collect()
    }

    /// What is stored, as rows of weight 1, and behind it what changed.
    fn with_stored(&self, stored: Option<&RecordBatch>, changes: &Weighted) -> Weighted {
        let Some(stored) = stored else { return changes.clone() };
        let columns =
            self.side.columns.iter().zip(&changes.columns).map(|(&column, changed)| {
                concat_arrays([stored.column(column).as_ref(), changed.as_ref()].into_iter())
            });
        let ones = std::iter::repeat_n(1, stored.num_rows());
        Weighted {
            columns: columns.collect(),
            weights: ones.chain(changes.weights.values().iter().copied()).map(Some).collect(),
        }
    }
}

pub(crate) struct Join {
    kind: JoinKind,
    left: Input,
    right: Input,
    encoder: KeyEncoder,
    condition: Option<Expr>,
    schema: SchemaRef,
    context: Context,
}

impl Join {
    pub fn new(kind: JoinKind, [left, right]: [Input; 2], condition: Option<Expr>, context: Context) -> Self {
        let types: Vec<SqlType> = left.side.keys.iter().map(|&column| left.types[column]).collect();
        let both: Vec<SqlType> = left.types.iter().chain(&right.types).copied().collect();
        Join { kind, encoder: KeyEncoder::new(&types), schema: types_schema(&both), left, right, condition, context }
    }

    /// Whether rows of a side depend on how many partners they have.
    fn counts(&self) -> [bool; 2] {
        match self.kind {
            JoinKind::Inner => [false, false],
            JoinKind::Left | JoinKind::Semi | JoinKind::Anti => [true, false],
            JoinKind::Full => [true, true],
        }
    }

    /// Distinct keys of the changes without nulls, sorted by their bytes.
    fn distinct(&self, parts: &[Vec<ArrayRef>]) -> Vec<ArrayRef> {
        let width = self.left.side.keys.len();
        let columns: Vec<ArrayRef> =
            (0..width).map(|index| concat_arrays(parts.iter().map(|part| part[index].as_ref()))).collect();
        let encoded = self.encoder.encode(&columns);
        let mut seen = BTreeSet::new();
        let first = (0..encoded.num_rows() as u32).filter(|row| {
            columns.iter().all(|column| column.is_valid(*row as usize)) && seen.insert(encoded.row(*row as usize))
        });
        let rows = UInt32Array::from(sorted_by_key(&encoded, first.collect::<Vec<_>>().into_iter()));
        columns.iter().map(|column| take(column, &rows)).collect()
    }

    fn want(&self, input: &Input, parts: &[Vec<ArrayRef>]) -> Wants {
        let keys = self.distinct(parts);
        let count = keys[0].len();
        Wants {
            table: input.side.table,
            lookup: input.side.lookup.clone(),
            keys: batch(input.lookup_schema.clone(), keys, count),
            deleted: false,
        }
    }

    /// The key of every row; a null in it meets nothing.
    fn encoded(&self, input: &Input, rows: &Weighted) -> (Rows, Vec<bool>) {
        let keys = input.keys(rows);
        let present = (0..rows.len()).map(|row| keys.iter().all(|key| key.is_valid(row))).collect();
        (self.encoder.encode(&keys), present)
    }

    /// The pairs for which the condition holds.
    fn fitting(&self, pairs: Pairs, left: &Weighted, right: &Weighted) -> Result<Pairs, EvalError> {
        let Some(condition) = &self.condition else { return Ok(pairs) };
        let rows = batch(self.schema.clone(), pairs.columns(left, right), pairs.len());
        let fits = evaluate(condition, &rows, &self.context)?;
        Ok(pairs.filtered(fits.as_boolean()))
    }
}

impl Operator for Join {
    fn describe(&self) -> String {
        format!(
            "{} join of {} and {} by {} keys",
            self.kind.name(),
            self.left.table,
            self.right.table,
            self.left.side.keys.len()
        )
    }

    /// Where a side's rows depend on how many partners they have, its stored rows meet what is stored too.
    fn wants(&self, inputs: &[&Weighted]) -> Vec<Wants> {
        let (left, right) = (self.left.keys(inputs[0]), self.right.keys(inputs[1]));
        if inputs.iter().all(|changes| changes.len() == 0) {
            return Vec::new();
        }
        let [counts_left, counts_right] = self.counts();
        let both = [left.clone(), right.clone()];
        let of_left = if counts_right { &both[..] } else { &both[1..] };
        let of_right = if counts_left { &both[..] } else { &both[..1] };
        vec![self.want(&self.left, of_left), self.want(&self.right, of_right)]
    }

    fn apply(&self, inputs: &[&Weighted], state: &[RecordBatch], _: &mut Vec<Write>) -> Result<Weighted, EvalError> {
        let stored = [state.first(), state.get(1)];
        let left = self.left.with_stored(stored[0], inputs[0]);
        let right = self.right.with_stored(stored[1], inputs[1]);
        let old = [left.len() - inputs[0].len(), right.len() - inputs[1].len()];
        let [counts_left, counts_right] = self.counts();
        let pairs = Pairs::of(self.encoded(&self.left, &left), self.encoded(&self.right, &right), old, counts_left);
        let pairs = self.fitting(pairs, &left, &right)?;

        let mut parts: Vec<Weighted> = Vec::new();
        if self.kind.has_right() {
            let changed = pairs.changed(old);
            parts.push(Weighted { columns: changed.columns(&left, &right), weights: changed.weights(&left, &right) });
        }
        if counts_left {
            let partners = pairs.partners(0, &left, &right, old);
            let shown_with = self.kind == JoinKind::Semi;
            let (rows, weights) = shown(&partners, &left, old[0], shown_with);
            let nulls = if self.kind.has_right() { &self.right.types[..] } else { &[] };
            parts.push(beside(&left, &rows, weights, nulls, false));
        }
        if counts_right {
            let partners = pairs.partners(1, &left, &right, old);
            let (rows, weights) = shown(&partners, &right, old[1], false);
            parts.push(beside(&right, &rows, weights, &self.left.types, true));
        }
        let columns = (0..parts[0].columns.len())
            .map(|index| concat_arrays(parts.iter().map(|part| part.columns[index].as_ref())));
        let weights = parts.iter().flat_map(|part| part.weights.values().iter().copied()).map(Some);
        Ok(Weighted { columns: columns.collect(), weights: weights.collect() }.consolidated())
    }
}

/// The rows that are shown by whether they have partners (before, now): of a stored row what the partners' changes make
/// of it, of a changed row what it is now.
fn shown(partners: &[(i64, i64)], rows: &Weighted, old: usize, with: bool) -> (UInt32Array, Int64Array) {
    let is = |count: i64| i64::from((count > 0) == with);
    let weighted = partners.iter().enumerate().map(|(row, &(before, now))| {
        let weight = if row < old { is(now) - is(before) } else { rows.weights.value(row) * is(now) };
        (row as u32, weight)
    });
    let (rows, weights): (Vec<u32>, Vec<i64>) = weighted.filter(|(_, weight)| *weight != 0).unzip();
    (UInt32Array::from(rows), Int64Array::from(weights))
}

/// Rows beside nulls of the other side's types.
fn beside(
    rows: &Weighted,
    chosen: &UInt32Array,
    weights: Int64Array,
    others: &[SqlType],
    others_first: bool,
) -> Weighted {
    let own = rows.columns.iter().map(|column| take(column, chosen));
    let nulls = others.iter().map(|ty| new_null_array(&arrow_type(*ty), chosen.len()));
    let columns = if others_first { nulls.chain(own).collect() } else { own.chain(nulls).collect() };
    Weighted { columns, weights }
}
