//! The rows of the nodes between the scans and the output, each from all rows of its inputs, pair by pair.

use super::{by_value, single};
use crate::{
    evaluate::{Context, evaluate},
    memory::TextRow,
    records::{batch, types_schema},
    value::print_any,
};
use arrow_array::{Array, RecordBatch, cast::AsArray};
use chrono_tz::Tz;
use millrace_contract::{
    Expr, Plan, SqlType,
    node::{JoinKind, Node, Operator, Side},
};

/// The last node's rows; `scanned` has those of the scans, in their order.
pub fn relation(plan: &Plan, scanned: Vec<Vec<TextRow>>, context: &Context) -> Vec<TextRow> {
    let mut scanned = scanned.into_iter();
    let mut done: Vec<Vec<TextRow>> = Vec::new();
    for node in &plan.nodes {
        let rows = match &node.operator {
            Operator::Scan { .. } => scanned.next().expect("every scan was read"),
            Operator::Keep { input, .. } => done[*input].clone(),
            Operator::Map { input, map } => {
                let types = &plan.nodes[*input].columns;
                let passing = done[*input].iter().filter(|row| holds(map.filter.as_ref(), row, types, context));
                let mapped = |row: &TextRow| map.columns.iter().map(|expr| value(expr, row, types, context)).collect();
                passing.map(mapped).collect()
            }
            Operator::Join { kind, left, right, condition } => {
                let sides = [left, right].map(|side| (side, &plan.nodes[side.node], done[side.node].as_slice()));
                join(*kind, sides, condition.as_ref(), context)
            }
        };
        done.push(rows);
    }
    done.pop().expect("a plan has a node")
}

fn join(
    kind: JoinKind,
    [(left, left_node, left_rows), (right, right_node, right_rows)]: [(&Side, &Node, &[TextRow]); 2],
    condition: Option<&Expr>,
    context: &Context,
) -> Vec<TextRow> {
    let types: Vec<SqlType> = left_node.columns.iter().chain(&right_node.columns).copied().collect();
    let key = |side: &Side, node: &Node, row: &TextRow| -> TextRow {
        let types: Vec<SqlType> = side.keys.iter().map(|&column| node.columns[column]).collect();
        by_value(&side.keys.iter().map(|&column| row[column].clone()).collect::<TextRow>(), &types)
    };
    let beside = |left: &TextRow, right: &TextRow| -> TextRow { left.iter().chain(right).cloned().collect() };
    let nulls = |node: &Node| -> TextRow { vec![None; node.columns.len()] };
    let mut joined = Vec::new();
    let mut right_met = vec![false; right_rows.len()];
    for left_row in left_rows {
        let left_key = key(left, left_node, left_row);
        let mut met = false;
        for (index, right_row) in right_rows.iter().enumerate() {
            let equal = left_key.iter().all(Option::is_some) && left_key == key(right, right_node, right_row);
            if equal && holds(condition, &beside(left_row, right_row), &types, context) {
                (met, right_met[index]) = (true, true);
                if kind.has_right() {
                    joined.push(beside(left_row, right_row));
                }
            }
        }
        match kind {
            JoinKind::Left | JoinKind::Full if !met => joined.push(beside(left_row, &nulls(right_node))),
            JoinKind::Semi if met => joined.push(left_row.clone()),
            JoinKind::Anti if !met => joined.push(left_row.clone()),
            JoinKind::Inner | JoinKind::Left | JoinKind::Full | JoinKind::Semi | JoinKind::Anti => {}
        }
    }
    if kind == JoinKind::Full {
        let alone = right_rows.iter().zip(right_met).filter(|(_, met)| !met);
        joined.extend(alone.map(|(row, _)| beside(&nulls(left_node), row)));
    }
    joined
}

fn one_row(row: &[Option<String>], types: &[SqlType]) -> RecordBatch {
    let column = |(text, ty): (&Option<String>, &SqlType)| match text {
        Some(text) => single(*ty, text),
        None => arrow_array::new_null_array(&crate::value::arrow_type(*ty), 1),
    };
    batch(types_schema(types), row.iter().zip(types).map(column).collect(), 1)
}

fn holds(condition: Option<&Expr>, row: &[Option<String>], types: &[SqlType], context: &Context) -> bool {
    condition.is_none_or(|condition| {
        let value = evaluate(condition, &one_row(row, types), context).unwrap_or_else(|error| panic!("{error}"));
        value.is_valid(0) && value.as_boolean().value(0)
    })
}

fn value(expr: &Expr, row: &[Option<String>], types: &[SqlType], context: &Context) -> Option<String> {
    let value = evaluate(expr, &one_row(row, types), context).unwrap_or_else(|error| panic!("{error}"));
    print_any(&value, 0, Tz::UTC)
}
