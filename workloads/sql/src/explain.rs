//! A plan as text for people: what is read, what is computed for a record, what is kept, what readers see.

use millrace_contract::{
    Expr, Plan,
    plan::{Call, Output},
    source::{Origin, SourceKind},
    table::{Merge, WriteRule},
};
use millrace_dataflow::function::{Sql, function};
use std::fmt::Write;

/// The plan, one line a step, in the order in which a record goes through it.
pub fn explain(plan: &Plan) -> String {
    let mut text = String::new();
    let mut line = |depth: usize, words: String| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}{words}", "  ".repeat(depth));
    };
    let source = &plan.source;
    let names: Vec<&str> = source.columns.iter().map(|column| column.name.as_str()).collect();
    let key: Vec<&str> = source.key.iter().map(|index| names[*index]).collect();
    let kind = match source.kind {
        SourceKind::Stream => "Stream, append-only".to_owned(),
        SourceKind::Table => format!("Table, key ({})", key.join(", ")),
    };
    line(0, format!("Source {}: topic {}, {kind}, time zone {}", source.name, source.topic, plan.time_zone));
    for column in &source.columns {
        line(1, format!("{} {} from {}", column.name, column.ty, origin(&column.origin)));
    }
    if let Some(condition) = &source.delete_when {
        line(1, format!("deleted when {}", expression(condition, &names)));
    }
    if let Some(condition) = &plan.map.filter {
        line(0, format!("Filter {}", expression(condition, &names)));
    }
    let groups = match &plan.output {
        Output::Aggregate { groups, .. } => *groups,
        Output::Append { .. } | Output::Upsert { .. } => 0,
    };
    line(0, "Map".to_owned());
    for (index, column) in plan.map.columns.iter().enumerate() {
        let role = if index < groups { " (group)" } else { "" };
        line(1, format!("#{index} {} {}{role}", column.ty(), expression(column, &names)));
    }
    let rows = plan.rows();
    match &plan.output {
        Output::Append { .. } => line(0, "Append: one row a record; nothing is read; parallel by partition".to_owned()),
        Output::Upsert { .. } => {
            line(0, "Upsert: the newest record per key; nothing is read; parallel by partition".to_owned());
        }
        Output::Aggregate { state, groups: _, calls, rows: _ } => {
            let reads = match state {
                None => "nothing is read".to_owned(),
                Some(state) => format!("reads {} by key", plan.tables[*state].name),
            };
            line(0, format!("Aggregate: groups are merged; {reads}; parallel by partition"));
            for call in calls {
                line(1, self::call(call, plan));
            }
        }
    }
    for table in &plan.tables {
        let key: Vec<&str> = table.key.iter().map(|index| table.columns[*index].name.as_str()).collect();
        let rule = match &table.write {
            WriteRule::Append => "append".to_owned(),
            WriteRule::Versioned => "the newer version wins".to_owned(),
            WriteRule::Merge { keep_empty: true, .. } => "merge, one row".to_owned(),
            WriteRule::Merge { keep_empty: false, .. } => "merge, empty groups go".to_owned(),
        };
        line(0, format!("Keep {} by ({}), {rule}", table.name, key.join(", ")));
        for column in &table.columns {
            let null = if column.nullable { "" } else { " not null" };
            let merge = match column.merge {
                Merge::Replace => "",
                Merge::Add => ", added",
                Merge::Least => ", least",
                Merge::Greatest => ", greatest",
                Merge::Derived => ", derived",
            };
            line(1, format!("{} {}{null}{merge}", column.name, column.ty));
        }
    }
    line(0, format!("Show {}", rows.name));
    for column in &plan.result.columns {
        line(1, format!("{} {} = {}", column.name, column.ty, column.sql));
    }
    if let Some(condition) = &plan.result.condition {
        line(1, format!("where {condition}"));
    }
    text
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
