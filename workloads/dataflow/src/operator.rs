//! The operators of a dataflow: pure, one a file. What they keep between epochs is nothing.
//!
//! Each says what it does (`describe`), where it reads state which rows (`wants`), and turns changes into changes or
//! writes (`apply`).

pub(crate) mod aggregate;
pub(crate) mod append;
pub(crate) mod join;
pub(crate) mod keep;
pub(crate) mod latest;
pub(crate) mod map;
pub(crate) mod project;
pub(crate) mod upsert;

use crate::{
    changes::{Wants, Weighted, Write},
    evaluate::{Context, EvalError},
    records::schema,
};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use millrace_contract::{
    Plan, SqlType, Table,
    node::{Node, Operator as Planned},
};

/// A step between the scans and the output.
pub(crate) trait Operator: Send + Sync {
    fn describe(&self) -> String;

    /// The stored rows that these changes of its inputs touch. None: it goes on without.
    fn wants(&self, inputs: &[&Weighted]) -> Vec<Wants> {
        let _ = inputs;
        Vec::new()
    }

    /// The changes of its rows. `state` has for every want the rows that exist, all columns of the table, as they
    /// were before this epoch.
    fn apply(
        &self,
        inputs: &[&Weighted],
        state: &[RecordBatch],
        writes: &mut Vec<Write>,
    ) -> Result<Weighted, EvalError>;
}

/// The operator of a node that is no scan.
pub(crate) fn operator(plan: &Plan, node: &Node, context: Context) -> Option<Box<dyn Operator>> {
    let columns = |input: usize| plan.nodes[input].columns.as_slice();
    Some(match &node.operator {
        Planned::Scan { .. } => return None,
        Planned::Map { input, map } => Box::new(project::Project::new(map, columns(*input), context)),
        Planned::Keep { input, table } => Box::new(keep::Keep::new(*table, &plan.tables[*table], &plan.nodes[*input])),
        Planned::Join { kind, left, right, condition } => {
            let sides = [left, right].map(|side| join::Input::new(side, columns(side.node), &plan.tables[side.table]));
            Box::new(join::Join::new(*kind, sides, condition.clone(), context))
        }
    })
}

/// The Arrow schema of a whole table.
pub(crate) fn table_schema(table: &Table) -> SchemaRef {
    schema(table.columns.iter().map(|column| (column.name.as_str(), column.ty)))
}

/// The Arrow schema of a table's key.
pub(crate) fn key_schema(table: &Table) -> SchemaRef {
    let key = table.key.iter().map(|&index| &table.columns[index]);
    schema(key.map(|column| (column.name.as_str(), column.ty)))
}

pub(crate) fn key_types(table: &Table) -> Vec<SqlType> {
    table.key.iter().map(|&index| table.columns[index].ty).collect()
}
