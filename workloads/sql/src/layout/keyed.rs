//! Rows that are kept by the key of the node they come from.

use super::{column, stored};
use crate::analysis::Output as Shown;
use millrace_contract::{
    Node, SqlType, Table,
    plan::{ResultColumn, ResultView},
    table::{COUNT, ROWS, WriteRule},
};

/// The table, and what readers see of it; `places` says where the node has each output. Key columns that the query does
/// not select are hidden. `keyed_nulls`: whether the key may have nulls.
pub(crate) fn keyed(outputs: &[Shown], places: &[usize], node: &Node, keyed_nulls: bool) -> (Table, ResultView) {
    let key = node.key.clone().unwrap_or_default();
    let name = |index: usize| match places.iter().position(|place| *place == index) {
        Some(output) => outputs[output].name.clone(),
        None => format!("_k{index}"),
    };
    let mut columns: Vec<_> = node
        .columns
        .iter()
        .enumerate()
        .map(|(index, ty)| column(name(index), *ty, keyed_nulls || !key.contains(&index)))
        .collect();
    columns.push(column(COUNT, SqlType::BigInt, false));
    let shown = outputs.iter().zip(places).map(|(output, place)| ResultColumn {
        name: output.name.clone(),
        ty: output.expr.ty(),
        sql: stored(&columns[*place].name),
    });
    let result = ResultView { columns: shown.collect(), condition: None };
    (Table { name: ROWS.into(), columns, key, write: WriteRule::Keyed, indexes: Vec::new() }, result)
}
