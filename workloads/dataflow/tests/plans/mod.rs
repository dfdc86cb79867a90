//! Plans as a compiler would make them, over one source of users: id, department, age, salary, score.

#![allow(dead_code, reason = "every test uses a part")]

use millrace_contract::{
    Expr, Node, Plan, Source, SqlType, Table,
    node::{JoinKind, Map, Operator, Side},
    plan::{Call, Output, PLAN_FORMAT, ResultView, SEMANTICS_VERSION},
    source::{Format, KeyFormat, Origin, SourceColumn, SourceKind},
    table::{COUNT, Column, DELETED, Extreme, Merge, OFFSET, PARTITION, ROWS, SINGLE, TIMESTAMP, WriteRule},
};
use std::sync::Arc;

pub const ID: usize = 0;
pub const DEPARTMENT: usize = 1;
pub const AGE: usize = 2;
pub const SALARY: usize = 3;
pub const SCORE: usize = 4;

pub const TYPES: [SqlType; 5] =
    [SqlType::BigInt, SqlType::Text, SqlType::Integer, SqlType::Numeric, SqlType::DoublePrecision];

pub fn users(kind: SourceKind) -> Source {
    let names = ["id", "부서", "age", "salary", "score"];
    let column =
        |(name, ty): (&str, SqlType)| SourceColumn { name: name.into(), ty, origin: Origin::Path(vec![name.into()]) };
    Source {
        name: "users".into(),
        topic: "user-events".into(),
        kind,
        format: Format::Json,
        key_format: KeyFormat::Text,
        key: if kind == SourceKind::Table { vec![ID] } else { vec![] },
        delete_when: None,
        columns: names.into_iter().zip(TYPES).map(column).collect(),
    }
}

pub fn column(index: usize) -> Expr {
    Expr::Column { index, ty: TYPES[index] }
}

pub fn literal(value: &str, ty: SqlType) -> Expr {
    Expr::Literal { value: Some(value.into()), ty }
}

pub fn call(function: &str, arguments: Vec<Expr>, ty: SqlType) -> Expr {
    Expr::Call { function: function.into(), arguments, ty }
}

/// 100 / age: fails for age 0.
pub fn hundred_by_age() -> Expr {
    call("int4div", vec![literal("100", SqlType::Integer), column(AGE)], SqlType::Integer)
}

pub fn of_age() -> Expr {
    call("int4ge", vec![column(AGE), literal("20", SqlType::Integer)], SqlType::Boolean)
}

fn table_column(name: &str, ty: SqlType, nullable: bool, merge: Merge) -> Column {
    Column { name: name.into(), ty, nullable, merge }
}

fn version_columns() -> Vec<Column> {
    [
        (PARTITION, SqlType::Integer),
        (OFFSET, SqlType::BigInt),
        (TIMESTAMP, SqlType::BigInt),
        (DELETED, SqlType::Boolean),
    ]
    .into_iter()
    .map(|(name, ty)| table_column(name, ty, false, Merge::Replace))
    .collect()
}

fn value_columns(columns: &[Expr]) -> Vec<Column> {
    let named = |(index, expr): (usize, &Expr)| table_column(&format!("c{index}"), expr.ty(), true, Merge::Replace);
    columns.iter().enumerate().map(named).collect()
}

fn plan(
    source: Source,
    filter: Option<Expr>,
    columns: Vec<Expr>,
    state: Option<usize>,
    output: Output,
    tables: Vec<Table>,
) -> Arc<Plan> {
    let node = scan(0, &source, filter, columns, state, None);
    dag(vec![source], vec![node], output, tables)
}

fn dag(sources: Vec<Source>, nodes: Vec<Node>, output: Output, tables: Vec<Table>) -> Arc<Plan> {
    Arc::new(Plan {
        format: PLAN_FORMAT,
        semantics_version: SEMANTICS_VERSION,
        time_zone: "Asia/Seoul".into(),
        sources,
        nodes,
        output,
        tables,
        result: ResultView { columns: vec![], condition: None },
    })
}

fn scan(
    index: usize,
    source: &Source,
    filter: Option<Expr>,
    columns: Vec<Expr>,
    state: Option<usize>,
    key: Option<Vec<usize>>,
) -> Node {
    Node {
        columns: columns.iter().map(Expr::ty).collect(),
        key,
        append_only: source.kind == SourceKind::Stream,
        operator: Operator::Scan { source: index, map: Map { filter, columns }, state },
    }
}

pub fn append(filter: Option<Expr>, columns: Vec<Expr>) -> Arc<Plan> {
    let mut table_columns = value_columns(&columns);
    table_columns.extend([
        table_column(PARTITION, SqlType::Integer, false, Merge::Replace),
        table_column(OFFSET, SqlType::BigInt, false, Merge::Replace),
    ]);
    let key = vec![columns.len(), columns.len() + 1];
    let rows = Table { name: ROWS.into(), columns: table_columns, key, write: WriteRule::Append, indexes: vec![] };
    plan(users(SourceKind::Stream), filter, columns, None, Output::Append { rows: 0 }, vec![rows])
}

pub fn upsert(source: Source, filter: Option<Expr>, columns: Vec<Expr>) -> Arc<Plan> {
    let mut table_columns = value_columns(&columns);
    table_columns[0].nullable = false;
    table_columns.extend(version_columns());
    let rows =
        Table { name: ROWS.into(), columns: table_columns, key: vec![0], write: WriteRule::Versioned, indexes: vec![] };
    plan(source, filter, columns, None, Output::Upsert { rows: 0 }, vec![rows])
}

/// `groups` of the columns, then for every (name, column): count, sum, min or max of it, or `count(*)` with none.
pub fn aggregate(
    source: Source,
    filter: Option<Expr>,
    columns: Vec<Expr>,
    groups: usize,
    calls: &[(&str, Option<usize>)],
) -> Arc<Plan> {
    let retracts = source.kind == SourceKind::Table;
    let single = table_column(SINGLE, SqlType::SmallInt, false, Merge::Replace);
    let keys = if groups == 0 { vec![single] } else { value_columns(&columns[..groups]) };
    let mut rows_columns = keys.clone();
    let mut tables = Vec::new();
    let mut extremes = Vec::new();
    let mut bound = Vec::new();
    for (name, argument) in calls {
        let index = rows_columns.len();
        let ty = argument.map(|argument| columns[argument].ty());
        let mut add = |ty: SqlType, nullable: bool, merge: Merge| {
            rows_columns.push(table_column(&format!("r{}", rows_columns.len()), ty, nullable, merge));
        };
        match (*name, *argument, ty) {
            ("count", argument, _) => {
                add(SqlType::BigInt, false, Merge::Add);
                bound.push(Call::Count { argument, column: index });
            }
            ("sum", Some(argument), Some(ty)) => {
                let sum = match ty {
                    SqlType::SmallInt | SqlType::Integer => SqlType::BigInt,
                    SqlType::BigInt | SqlType::Numeric => SqlType::Numeric,
                    other => other,
                };
                add(sum, false, Merge::Add);
                add(SqlType::BigInt, false, Merge::Add);
                bound.push(Call::Sum { argument, column: index, count: index + 1 });
            }
            (name, Some(argument), Some(ty)) => {
                let largest = name == "max";
                let values = retracts.then(|| {
                    let mut value_columns = keys.clone();
                    value_columns.push(table_column("_value", ty, false, Merge::Replace));
                    value_columns.push(table_column(COUNT, SqlType::BigInt, false, Merge::Add));
                    let table = format!("values_{index}");
                    extremes.push(Extreme { column: index, values: table.clone(), largest });
                    tables.push(Table {
                        name: table,
                        key: (0..=keys.len()).collect(),
                        columns: value_columns,
                        write: WriteRule::Merge { keep_empty: false, extremes: vec![] },
                        indexes: vec![],
                    });
                    1 + tables.len()
                });
                add(
                    ty,
                    true,
                    match (retracts, largest) {
                        (true, _) => Merge::Derived,
                        (false, true) => Merge::Greatest,
                        (false, false) => Merge::Least,
                    },
                );
                bound.push(Call::Extreme { argument, column: index, largest, values });
            }
            other => panic!("no aggregate is called like {other:?}"),
        }
    }
    rows_columns.push(table_column(COUNT, SqlType::BigInt, false, Merge::Add));
    let rows = Table {
        name: ROWS.into(),
        key: (0..keys.len()).collect(),
        columns: rows_columns,
        write: WriteRule::Merge { keep_empty: groups == 0, extremes },
        indexes: vec![],
    };
    let mut state_columns = vec![table_column("k0", SqlType::BigInt, false, Merge::Replace)];
    state_columns.extend(value_columns(&columns));
    state_columns.extend(version_columns());
    let state = versioned("state", state_columns);
    tables.splice(0..0, [rows, state]);
    let output = Output::Aggregate { groups, calls: bound, rows: 0 };
    plan(source, filter, columns, retracts.then_some(1), output, tables)
}

fn versioned(name: &str, columns: Vec<Column>) -> Table {
    Table { name: name.into(), key: vec![0], columns, write: WriteRule::Versioned, indexes: vec![] }
}

/// Two Tables of users, the right ones passing `filter` only, joined by `key` of the left and of the right, kept by the
/// keys of both sides; the left one's alone where only its columns are shown.
pub fn join(kind: JoinKind, filter: Option<Expr>, key: [usize; 2], condition: Option<Expr>) -> Arc<Plan> {
    let columns: Vec<Expr> = (0..TYPES.len()).map(column).collect();
    let width = columns.len();
    let state = |name: &str| {
        let mut state_columns = vec![table_column("k0", SqlType::BigInt, false, Merge::Replace)];
        state_columns.extend(value_columns(&columns));
        state_columns.extend(version_columns());
        versioned(name, state_columns)
    };
    let side = |node: usize, key: usize| Side {
        node,
        table: node,
        columns: (1..=width).collect(),
        keys: vec![key],
        lookup: vec![if key == ID { 0 } else { key + 1 }],
    };
    let sources = vec![users(SourceKind::Table), users(SourceKind::Table)];
    let (shown, row_key) = if kind.has_right() {
        ([columns.clone(), columns.clone()].concat(), vec![ID, width + ID])
    } else {
        (columns.clone(), vec![ID])
    };
    let nodes = vec![
        scan(0, &sources[0], None, columns.clone(), Some(0), Some(vec![ID])),
        scan(1, &sources[1], filter, columns.clone(), Some(1), Some(vec![ID])),
        Node {
            columns: shown.iter().map(Expr::ty).collect(),
            key: Some(row_key.clone()),
            append_only: false,
            operator: Operator::Join { kind, left: side(0, key[0]), right: side(1, key[1]), condition },
        },
    ];
    let mut rows_columns = value_columns(&shown);
    rows_columns.push(table_column(COUNT, SqlType::BigInt, false, Merge::Replace));
    let rows =
        Table { name: ROWS.into(), columns: rows_columns, key: row_key, write: WriteRule::Keyed, indexes: vec![] };
    dag(sources, nodes, Output::Keyed { rows: 2 }, vec![state("left"), state("right"), rows])
}
