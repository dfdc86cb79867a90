//! Branches are computed only for the rows that reach them, and logic has three values.

use super::*;
use crate::value::print;
use arrow_array::Int64Array;
use chrono_tz::Tz;

const CONTEXT: Context = Context { zone: Tz::UTC };

fn column(index: usize) -> Expr {
    Expr::Column { index, ty: SqlType::BigInt }
}

fn number(value: &str) -> Expr {
    Expr::Literal { value: Some(value.into()), ty: SqlType::BigInt }
}

fn call(function: &str, arguments: Vec<Expr>, ty: SqlType) -> Expr {
    Expr::Call { function: function.into(), arguments, ty }
}

fn divide() -> Expr {
    call("int8div", vec![column(0), column(1)], SqlType::BigInt)
}

fn is_zero(index: usize) -> Expr {
    call("int8eq", vec![column(index), number("0")], SqlType::Boolean)
}

/// (8, 2), (1, 0), (null, 1), (6, null)
fn batch() -> RecordBatch {
    let dividends: ArrayRef = Arc::new(Int64Array::from(vec![Some(8), Some(1), None, Some(6)]));
    let divisors: ArrayRef = Arc::new(Int64Array::from(vec![Some(2), Some(0), Some(1), None]));
    RecordBatch::try_from_iter_with_nullable([("a", dividends, true), ("b", divisors, true)]).expect("equal lengths")
}

fn check_values(expr: &Expr, expected: &str) {
    let array = evaluate(expr, &batch(), &CONTEXT).expect("no row fails");
    let values: Vec<String> =
        (0..array.len()).map(|row| print(&array, expr.ty(), row, Tz::UTC).unwrap_or_else(|| "null".into())).collect();
    assert_eq!(values.join(" "), expected);
}

#[test]
fn a_branch_is_evaluated_only_for_the_rows_that_reach_it() {
    assert_eq!(evaluate(&divide(), &batch(), &CONTEXT).expect_err("1 / 0").sqlstate, "22012");
    let guarded = Expr::Case {
        branches: vec![(is_zero(1), number("-1"))],
        otherwise: Some(Box::new(divide())),
        ty: SqlType::BigInt,
    };
    check_values(&guarded, "4 -1 null null");
    let open = Expr::Case { branches: vec![(is_zero(1), column(0))], otherwise: None, ty: SqlType::BigInt };
    check_values(&open, "null 1 null null");
}

#[test]
fn connectives_stop_at_the_operand_that_decides() {
    let positive = call("int8gt", vec![divide(), number("0")], SqlType::Boolean);
    let guarded = Expr::And(vec![Expr::Not(Box::new(is_zero(1))), positive.clone()]);
    check_values(&guarded, "t f null null");
    check_values(&Expr::Or(vec![is_zero(1), positive]), "t t null null");
}

#[test]
fn coalesce_looks_at_later_operands_only_where_the_earlier_are_null() {
    let fails = call("int8div", vec![column(1), number("0")], SqlType::BigInt);
    check_values(&Expr::Coalesce { operands: vec![column(0), column(1), fails], ty: SqlType::BigInt }, "8 1 1 6");
}

#[test]
fn two_nulls_are_not_distinct() {
    let null = Expr::Literal { value: None, ty: SqlType::BigInt };
    check_values(&Expr::NotDistinct(Box::new(column(0)), Box::new(null)), "f f t f");
    check_values(&Expr::IsNull(Box::new(column(1))), "f f f t");
}
