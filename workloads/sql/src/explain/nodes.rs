//! What a node does with its rows.

use super::{Lines, expression};
use millrace_contract::{
    Node, Plan,
    node::{Map, Operator, Side},
};

/// The node's steps; its first `groups` columns are the groups of the output.
pub(super) fn steps(text: &mut Lines, plan: &Plan, node: &Node, depth: usize, groups: usize) {
    match &node.operator {
        Operator::Scan { source, map, state } => {
            let source = &plan.sources[*source];
            let names: Vec<&str> = source.columns.iter().map(|column| column.name.as_str()).collect();
            if depth > 0 {
                text.line(depth, format!("Scan {}", source.name));
            }
            self::map(text, map, &names, depth, groups);
            if let Some(state) = state.filter(|_| depth > 0) {
                text.line(depth, format!("Keep the newest row of every key in {}", plan.tables[state].name));
            }
        }
        Operator::Map { input, map } => {
            text.line(depth, format!("Read node {input}"));
            self::map(text, map, &numbers(plan.nodes[*input].columns.len()), depth, groups);
        }
        Operator::Keep { input, table } => {
            text.line(depth, format!("Keep the rows of node {input} in {}", plan.tables[*table].name));
        }
        Operator::Join { kind, left, right, condition } => {
            text.line(depth, format!("Join, {}: {} with {}", kind.name(), side(plan, left), side(plan, right)));
            let width = plan.nodes[left.node].columns.len() + plan.nodes[right.node].columns.len();
            if let Some(condition) = condition {
                text.line(depth + 1, format!("where {}", expression(condition, &names(&numbers(width)))));
            }
        }
    }
}

fn map(text: &mut Lines, map: &Map, names: &[impl AsRef<str>], depth: usize, groups: usize) {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if let Some(condition) = &map.filter {
        text.line(depth, format!("Filter {}", expression(condition, &names)));
    }
    text.line(depth, "Map".to_owned());
    for (index, column) in map.columns.iter().enumerate() {
        let role = if index < groups { " (group)" } else { "" };
        text.line(depth + 1, format!("#{index} {} {}{role}", column.ty(), expression(column, &names)));
    }
}

fn side(plan: &Plan, side: &Side) -> String {
    let Side { node, table, columns: _, keys, lookup } = side;
    let table = &plan.tables[*table];
    let keys: Vec<String> = keys.iter().map(|key| format!("#{key}")).collect();
    let lookup: Vec<&str> = lookup.iter().map(|index| table.columns[*index].name.as_str()).collect();
    format!("node {node} by {}, in {} by ({})", keys.join(", "), table.name, lookup.join(", "))
}

/// The columns of an input by their numbers.
fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("#{index}")).collect()
}

fn names(numbers: &[String]) -> Vec<&str> {
    numbers.iter().map(String::as_str).collect()
}
