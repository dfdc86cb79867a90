//! Evaluates a bound expression over a batch, with SQL's three-valued logic.
//!
//! A branch is evaluated only for the rows that reach it, so `CASE WHEN b = 0 THEN 0 ELSE a / b END` never divides by
//! zero, and `b <> 0 AND a / b > 1` does not either.

mod rows;

use crate::{
    function::{function, functions},
    value::{ColumnBuilder, arrow_type, comparator},
};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, cast::AsArray, new_null_array};
use arrow_buffer::BooleanBuffer;
use millrace_contract::{Expr, SqlType};
use rows::Rows;
use std::sync::Arc;

pub use crate::function::{Context, EvalError};

/// The expression's value for every row of `batch`, whose columns the expression names by index.
pub fn evaluate(expr: &Expr, batch: &RecordBatch, context: &Context) -> Result<ArrayRef, EvalError> {
    evaluate_rows(expr, &Rows::of(batch), context)
}

/// Why an expression of a stored plan cannot be evaluated by this program; found before anything runs.
pub fn check(expr: &Expr, columns: &[SqlType]) -> Result<(), String> {
    match expr {
        Expr::Column { index, ty } => match columns.get(*index) {
            Some(found) if found == ty => {}
            found => return Err(format!("column {index} is {found:?} where the plan expects {ty}")),
        },
        Expr::Call { function: name, arguments, ty } => {
            let found = function(name)
                .ok_or_else(|| format!("function {name} is none of the {} that this program has", functions().len()))?;
            let declared = found.arguments.iter().copied().map(Some).chain(std::iter::repeat(found.variadic));
            let fits = arguments.iter().zip(declared).all(|(argument, declared)| declared == Some(argument.ty()));
            if !fits || arguments.len() < found.arguments.len() || found.returns != *ty {
                return Err(format!("function {name} is called with arguments that it does not take"));
            }
        }
        Expr::Literal { value: Some(text), ty } => {
            ColumnBuilder::new(*ty, 1).append_text(text).map_err(|error| error.to_string())?;
        }
        Expr::Literal { value: None, .. }
        | Expr::Case { .. }
        | Expr::Coalesce { .. }
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::NotDistinct(..) => {}
    }
    expr.children().into_iter().try_for_each(|child| check(child, columns))
}

fn evaluate_rows(expr: &Expr, rows: &Rows, context: &Context) -> Result<ArrayRef, EvalError> {
    match expr {
        Expr::Column { index, .. } => Ok(rows.column(*index)),
        Expr::Literal { value, ty } => literal(value.as_deref(), *ty, rows.count, context),
        Expr::Call { function: name, arguments, .. } => {
            let found = function(name)
                .ok_or_else(|| EvalError::new("42883", format!("function {name} is not known to this program")))?;
            let arguments: Vec<ArrayRef> =
                arguments.iter().map(|argument| evaluate_rows(argument, rows, context)).collect::<Result<_, _>>()?;
            (found.evaluate)(context, &arguments, rows.count)
        }
        Expr::Case { branches, otherwise, ty } => case(branches, otherwise.as_deref(), *ty, rows, context),
        Expr::Coalesce { operands, ty } => coalesce(operands, *ty, rows, context),
        Expr::And(operands) => connect(operands, false, rows, context),
        Expr::Or(operands) => connect(operands, true, rows, context),
        Expr::Not(operand) => {
            let array = evaluate_rows(operand, rows, context)?;
            let array = array.as_boolean();
            Ok(Arc::new(BooleanArray::new(!array.values(), array.nulls().cloned())))
        }
        Expr::IsNull(operand) => {
            let array = evaluate_rows(operand, rows, context)?;
            let nulls = array.nulls().map_or_else(|| BooleanBuffer::new_unset(rows.count), |nulls| !nulls.inner());
            Ok(Arc::new(BooleanArray::new(nulls, None)))
        }
        Expr::NotDistinct(left, right) => {
            let ty = left.ty();
            let (left, right) = (evaluate_rows(left, rows, context)?, evaluate_rows(right, rows, context)?);
            let order = comparator(ty, &left, &right);
            let same = BooleanBuffer::collect_bool(rows.count, |row| match (left.is_null(row), right.is_null(row)) {
                (true, true) => true,
                (false, false) => order(row, row).is_eq(),
                _ => false,
            });
            Ok(Arc::new(BooleanArray::new(same, None)))
        }
    }
}

fn literal(value: Option<&str>, ty: SqlType, count: usize, context: &Context) -> Result<ArrayRef, EvalError> {
    let Some(text) = value else { return Ok(new_null_array(&arrow_type(ty), count)) };
    let mut builder = ColumnBuilder::new(ty, 1).in_zone(context.zone);
    builder.append_text(text)?;
    Ok(crate::keys::take(&builder.finish(), &UInt32Array::from_value(0, count)))
}

/// AND decides at the first false, OR at the first true; null in between leaves the result open.
fn connect(operands: &[Expr], decisive: bool, rows: &Rows, context: &Context) -> Result<ArrayRef, EvalError> {
    let mut results = vec![Some(!decisive); rows.count];
    for operand in operands {
        let open = BooleanBuffer::collect_bool(rows.count, |row| results[row] != Some(decisive));
        let open_count = open.count_set_bits();
        if open_count == 0 {
            break;
        }
        let open = BooleanArray::new(open, None);
        let values = evaluate_rows(operand, &rows.select(&open, open_count, operand), context)?;
        let values = values.as_boolean();
        for (position, row) in open.values().set_indices().enumerate() {
            if values.is_null(position) {
                results[row] = None;
            } else if values.value(position) == decisive {
                results[row] = Some(decisive);
            }
        }
    }
    Ok(Arc::new(BooleanArray::from(results)))
}

/// Collects, for every row, which array its value comes from.
struct Parts {
    arrays: Vec<ArrayRef>,
    sources: Vec<(usize, usize)>,
}

impl Parts {
    /// Every row is null until it is set.
    fn new(ty: SqlType, count: usize) -> Self {
        Parts { arrays: vec![new_null_array(&arrow_type(ty), 1)], sources: vec![(0, 0); count] }
    }

    /// The rows of `mask` get the values of `array`, in order.
    fn set(&mut self, mask: &BooleanArray, array: ArrayRef) {
        let index = self.arrays.len();
        self.arrays.push(array);
        for (position, row) in mask.values().set_indices().enumerate() {
            self.sources[row] = (index, position);
        }
    }

    fn finish(self) -> ArrayRef {
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
        arrow_select::interleave::interleave(&arrays, &self.sources).expect("all branches have one type")
    }
}

fn case(
    branches: &[(Expr, Expr)],
    otherwise: Option<&Expr>,
    ty: SqlType,
    rows: &Rows,
    context: &Context,
) -> Result<ArrayRef, EvalError> {
    let mut parts = Parts::new(ty, rows.count);
    let mut open = BooleanArray::from(vec![true; rows.count]);
    for (when, then) in branches {
        let open_count = open.values().count_set_bits();
        if open_count == 0 {
            break;
        }
        let condition = evaluate_rows(when, &rows.select(&open, open_count, when), context)?;
        let taken = scatter_true(&open, condition.as_boolean());
        let taken_count = taken.values().count_set_bits();
        if taken_count > 0 {
            let values = evaluate_rows(then, &rows.select(&taken, taken_count, then), context)?;
            parts.set(&taken, values);
        }
        open = BooleanArray::new(open.values() & &!taken.values(), None);
    }
    let open_count = open.values().count_set_bits();
    if let Some(otherwise) = otherwise
        && open_count > 0
    {
        let values = evaluate_rows(otherwise, &rows.select(&open, open_count, otherwise), context)?;
        parts.set(&open, values);
    }
    Ok(parts.finish())
}

/// The rows of `mask` for which `condition` (one value a row of `mask`) is true.
fn scatter_true(mask: &BooleanArray, condition: &BooleanArray) -> BooleanArray {
    let mut taken = vec![false; mask.len()];
    for (position, row) in mask.values().set_indices().enumerate() {
        taken[row] = condition.is_valid(position) && condition.value(position);
    }
    BooleanArray::from(taken)
}

fn coalesce(operands: &[Expr], ty: SqlType, rows: &Rows, context: &Context) -> Result<ArrayRef, EvalError> {
    let mut parts = Parts::new(ty, rows.count);
    let mut open = BooleanArray::from(vec![true; rows.count]);
    for (index, operand) in operands.iter().enumerate() {
        let open_count = open.values().count_set_bits();
        if open_count == 0 {
            break;
        }
        let values = evaluate_rows(operand, &rows.select(&open, open_count, operand), context)?;
        if index == 0 && values.null_count() == 0 {
            return Ok(values);
        }
        let missing: Vec<bool> = (0..values.len()).map(|position| values.is_null(position)).collect();
        let still_open = scatter_true(&open, &BooleanArray::from(missing));
        parts.set(&open, values);
        open = still_open;
    }
    Ok(parts.finish())
}

#[cfg(test)]
mod tests;
