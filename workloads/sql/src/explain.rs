//! A plan as text for people: what is read, what is computed for a record, what is kept, what readers see.

mod nodes;

use millrace_contract::{
    Expr, Node, Plan, Source,
    catalog::LOCK_BUCKETS,
    node::Operator,
    plan::{Call, Output},
    source::{Origin, SourceKind},
    table::{Merge, WriteRule},
};
use millrace_dataflow::function::{Sql, function};
use std::fmt::Write;

/// The plan, one line a step, in the order in which a record goes through it.
pub fn explain(plan: &Plan) -> String {
    let mut text = Lines::default();
    plan.sources.iter().for_each(|source| self::source(&mut text, source, &plan.time_zone));
    let groups = match &plan.output {
        Output::Aggregate { groups, .. } => *groups,
        Output::Append { .. } | Output::Upsert { .. } | Output::Keyed { .. } => 0,
    };
    let several = plan.nodes.len() > 1;
    for (index, node) in plan.nodes.iter().enumerate() {
        if several {
            text.line(0, format!("Node {index}: {}", self::node(plan, node)));
        }
        let last = index + 1 == plan.nodes.len();
        nodes::steps(&mut text, plan, node, usize::from(several), if last { groups } else { 0 });
    }
    let rows = plan.rows();
    match &plan.output {
        Output::Append { .. } => {
            text.line(0, "Append: one row a record; nothing is read; parallel by partition".to_owned());
        }
        Output::Upsert { .. } => {
            text.line(0, "Upsert: the newest record per key; nothing is read; parallel by partition".to_owned());
        }
        Output::Keyed { .. } => text.line(0, "Keep: rows of the last node by its key; nothing is read".to_owned()),
        Output::Aggregate { groups: _, calls, rows: _ } => {
            let reads = match plan.nodes.first().map(|node| &node.operator) {
                Some(Operator::Scan { state: Some(state), .. }) if !several => {
                    format!("reads {} by key", plan.tables[*state].name)
                }
                _ => "nothing is read".to_owned(),
            };
            let parallel = if several { "" } else { "; parallel by partition" };
            text.line(0, format!("Aggregate: groups are merged; {reads}{parallel}"));
            for call in calls {
                text.line(1, self::call(call, plan));
            }
        }
    }
    if several {
        text.line(0, parallelism(plan));
    }
    for table in &plan.tables {
        let names = |columns: &[usize]| {
            columns.iter().map(|index| table.columns[*index].name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let rule = match &table.write {
            WriteRule::Append => "append".to_owned(),
            WriteRule::Versioned => "the newer version wins".to_owned(),
            WriteRule::Merge { keep_empty: true, .. } => "merge, one row".to_owned(),
            WriteRule::Merge { keep_empty: false, .. } => "merge, empty groups go".to_owned(),
            WriteRule::Keyed => "the present row, gone when it is taken back".to_owned(),
        };
        let found: String = table.indexes.iter().map(|index| format!(", found by ({})", names(index))).collect();
        text.line(0, format!("Keep {} by ({}), {rule}{found}", table.name, names(&table.key)));
        for column in &table.columns {
            let null = if column.nullable { "" } else { " not null" };
            let merge = match column.merge {
                Merge::Replace => "",
                Merge::Add => ", added",
                Merge::Least => ", least",
                Merge::Greatest => ", greatest",
                Merge::Derived => ", derived",
            };
            text.line(1, format!("{} {}{null}{merge}", column.name, column.ty));
        }
    }
    text.line(0, format!("Show {}", rows.name));
    for column in &plan.result.columns {
        text.line(1, format!("{} {} = {}", column.name, column.ty, column.sql));
    }
    if let Some(condition) = &plan.result.condition {
        text.line(1, format!("where {condition}"));
    }
    text.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, depth: usize, words: String) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{}{words}", "  ".repeat(depth));
    }
}

fn source(text: &mut Lines, source: &Source, time_zone: &str) {
    let names: Vec<&str> = source.columns.iter().map(|column| column.name.as_str()).collect();
    let key: Vec<&str> = source.key.iter().map(|index| names[*index]).collect();
    let kind = match source.kind {
        SourceKind::Stream => "Stream, append-only".to_owned(),
        SourceKind::Table => format!("Table, key ({})", key.join(", ")),
    };
    text.line(0, format!("Source {}: topic {}, {kind}, time zone {time_zone}", source.name, source.topic));
    for column in &source.columns {
        text.line(1, format!("{} {} from {}", column.name, column.ty, origin(&column.origin)));
    }
    if let Some(condition) = &source.delete_when {
        text.line(1, format!("deleted when {}", expression(condition, &names)));
    }
}

/// What is known of a node's rows, and who may work on them at a time.
fn node(plan: &Plan, node: &Node) -> String {
    let key = match &node.key {
        Some(key) => {
            let key: Vec<String> = key.iter().map(|column| format!("#{column}")).collect();
            format!("key ({})", key.join(", "))
        }
        None => "no key".to_owned(),
    };
    let appended = if node.append_only { "append-only" } else { "rows are taken back" };
    let distribution = match &node.operator {
        Operator::Scan { source, .. } => format!("owned by the partitions of {}", plan.sources[*source].topic),
        Operator::Map { .. } | Operator::Keep { .. } => "where its input is".to_owned(),
        Operator::Join { .. } => format!("shared: workers take turns, {LOCK_BUCKETS} locks by key"),
    };
    format!("{key}, {appended}, {distribution}")
}

/// Which nodes let workers wait for each other.
fn parallelism(plan: &Plan) -> String {
    let turns = plan.nodes.iter().enumerate().filter(|(_, node)| node.operator.takes_turns());
    let turns: Vec<String> = turns.map(|(index, _)| index.to_string()).collect();
    match turns.len() {
        0 => "Parallel by partition".to_owned(),
        1 => format!("Parallel by partition; in node {} up to {LOCK_BUCKETS} at a time", turns[0]),
        _ => format!("Parallel by partition; in each of the nodes {} up to {LOCK_BUCKETS} at a time", turns.join(", ")),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Path(path) => path.join("."),
        Origin::Key => "the record key".to_owned(),
        Origin::Header(name) => format!("the header {name}"),
        Origin::Timestamp => "the record's timestamp".to_owned(),
        Origin::Partition => "the partition".to_owned(),
        Origin::Offset => "the offset".to_owned(),
    }
}

fn call(call: &Call, plan: &Plan) -> String {
    let column = |index: usize| plan.rows().columns[index].name.as_str();
    match call {
        Call::Count { argument: None, column: to } => format!("{} = count of rows", column(*to)),
        Call::Count { argument: Some(argument), column: to } => format!("{} = count of #{argument}", column(*to)),
        Call::Sum { argument, column: to, count } => {
            format!("{} = sum of #{argument}, {} = count of #{argument}", column(*to), column(*count))
        }
        Call::Extreme { argument, column: to, largest, values } => {
            let name = if *largest { "largest" } else { "smallest" };
            let by = values.map(|table| format!(" by {}", plan.tables[table].name)).unwrap_or_default();
            format!("{} = {name} of #{argument}{by}", column(*to))
        }
    }
}

/// An expression with the names of the columns that it reads.
fn expression(expr: &Expr, names: &[&str]) -> String {
    let list = |parts: &[Expr], between: &str| {
        parts.iter().map(|part| expression(part, names)).collect::<Vec<_>>().join(between)
    };
    match expr {
        Expr::Column { index, ty: _ } => names.get(*index).copied().unwrap_or("?").to_owned(),
        Expr::Literal { value: None, ty } => format!("null::{ty}"),
        Expr::Literal { value: Some(value), ty } => format!("'{value}'::{ty}"),
        Expr::Call { function: name, arguments, ty } => match function(name).map(|function| function.sql) {
            Some(Sql::Operator(operator)) => format!("({})", list(arguments, &format!(" {operator} "))),
            Some(Sql::Prefix(operator)) => format!("({operator} {})", list(arguments, ", ")),
            Some(Sql::Cast(_)) => format!("{}::{ty}", list(arguments, ", ")),
            Some(Sql::Function(name)) => format!("{name}({})", list(arguments, ", ")),
            None => format!("{name}({})", list(arguments, ", ")),
        },
        Expr::Case { branches, otherwise, ty: _ } => {
            let mut text = "case".to_owned();
            for (when, then) in branches {
                text.push_str(&format!(" when {} then {}", expression(when, names), expression(then, names)));
            }
            if let Some(otherwise) = otherwise {
                text.push_str(&format!(" else {}", expression(otherwise, names)));
            }
            format!("{text} end")
        }
        Expr::Coalesce { operands, ty: _ } => format!("coalesce({})", list(operands, ", ")),
        Expr::And(operands) => format!("({})", list(operands, " and ")),
        Expr::Or(operands) => format!("({})", list(operands, " or ")),
        Expr::Not(operand) => format!("not {}", expression(operand, names)),
        Expr::IsNull(operand) => format!("({} is null)", expression(operand, names)),
        Expr::NotDistinct(left, right) => {
            format!("({} is not distinct from {})", expression(left, names), expression(right, names))
        }
    }
}
