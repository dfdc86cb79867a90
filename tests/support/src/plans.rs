//! Plans made by hand over a topic of users, one for each shape that a plan can have.

use millrace_contract::{
    Expr, Node, Plan, Source, SqlType, Table,
    node::{Map, Operator},
    plan::{Call, Output, PLAN_FORMAT, ResultColumn, ResultView, SEMANTICS_VERSION},
    source::{Format, KeyFormat, Origin, SourceColumn, SourceKind},
    table::{COUNT, Column, DELETED, Extreme, Merge, OFFSET, PARTITION, ROWS, TIMESTAMP, WriteRule},
};

/// The department that deletes a user.
pub const GONE: &str = "퇴사";

fn source(topic: &str, kind: SourceKind) -> Source {
    let column =
        |name: &str, ty| SourceColumn { name: name.into(), ty, origin: Origin::Path(vec!["user".into(), name.into()]) };
    let table = kind == SourceKind::Table;
    Source {
        name: "users".into(),
        topic: topic.into(),
        kind,
        format: Format::Json,
        key_format: if table { KeyFormat::Text } else { KeyFormat::None },
        key: if table { vec![0] } else { vec![] },
        delete_when: table.then(|| {
            let gone = Expr::Literal { value: Some(GONE.into()), ty: SqlType::Text };
            Expr::NotDistinct(Box::new(input(2, SqlType::Text)), Box::new(gone))
        }),
        columns: vec![
            column("id", SqlType::BigInt),
            column("name", SqlType::Text),
            column("department", SqlType::Text),
            column("age", SqlType::Integer),
        ],
    }
}

fn input(index: usize, ty: SqlType) -> Expr {
    Expr::Column { index, ty }
}

fn column(name: &str, ty: SqlType, nullable: bool, merge: Merge) -> Column {
    Column { name: name.into(), ty, nullable, merge }
}

fn plain(name: &str, ty: SqlType, nullable: bool) -> Column {
    column(name, ty, nullable, Merge::Replace)
}

fn version() -> Vec<Column> {
    vec![
        plain(PARTITION, SqlType::Integer, false),
        plain(OFFSET, SqlType::BigInt, false),
        plain(TIMESTAMP, SqlType::BigInt, false),
        plain(DELETED, SqlType::Boolean, false),
    ]
}

fn users() -> Vec<Expr> {
    vec![input(0, SqlType::BigInt), input(1, SqlType::Text), input(2, SqlType::Text), input(3, SqlType::Integer)]
}

fn shown(columns: &[(&str, SqlType)], condition: Option<&str>) -> ResultView {
    let columns = columns
        .iter()
        .map(|(name, ty)| ResultColumn { name: (*name).into(), ty: *ty, sql: format!("r.\"{name}\"") })
        .collect();
    ResultView { columns, condition: condition.map(str::to_owned) }
}

const USER: [(&str, SqlType); 4] =
    [("id", SqlType::BigInt), ("name", SqlType::Text), ("department", SqlType::Text), ("age", SqlType::Integer)];

fn plan(
    source: Source,
    columns: Vec<Expr>,
    state: Option<usize>,
    output: Output,
    tables: Vec<Table>,
    result: ResultView,
) -> Plan {
    let scan = Node {
        columns: columns.iter().map(Expr::ty).collect(),
        key: None,
        append_only: source.kind == SourceKind::Stream,
        operator: Operator::Scan { source: 0, map: Map { filter: None, columns }, state },
    };
    Plan {
        format: PLAN_FORMAT,
        semantics_version: SEMANTICS_VERSION,
        time_zone: "Asia/Seoul".into(),
        sources: vec![source],
        nodes: vec![scan],
        output,
        tables,
        result,
    }
}

/// `SELECT id, name, department, age FROM users`, users a Stream.
pub fn append(topic: &str) -> Plan {
    let mut columns: Vec<Column> = USER.iter().map(|(name, ty)| plain(name, *ty, true)).collect();
    columns.extend(version().drain(..2));
    let rows = Table { name: ROWS.into(), key: vec![4, 5], columns, write: WriteRule::Append, indexes: vec![] };
    plan(source(topic, SourceKind::Stream), users(), None, Output::Append { rows: 0 }, vec![rows], shown(&USER, None))
}

/// `SELECT id, name, department, age FROM users`, users a Table.
pub fn upsert(topic: &str) -> Plan {
    let mut columns: Vec<Column> = USER.iter().map(|(name, ty)| plain(name, *ty, *name != "id")).collect();
    columns.extend(version());
    let rows = Table { name: ROWS.into(), key: vec![0], columns, write: WriteRule::Versioned, indexes: vec![] };
    let result = shown(&USER, Some("NOT r.\"_deleted\""));
    plan(source(topic, SourceKind::Table), users(), None, Output::Upsert { rows: 0 }, vec![rows], result)
}

const TOTALS: [(&str, SqlType); 6] = [
    ("department", SqlType::Text),
    ("users", SqlType::BigInt),
    ("ages", SqlType::BigInt),
    ("aged", SqlType::BigInt),
    ("youngest", SqlType::Integer),
    ("oldest", SqlType::Integer),
];

fn totals(extremes: [Merge; 2], rule: Vec<Extreme>) -> Table {
    let columns = vec![
        plain("department", SqlType::Text, true),
        column("users", SqlType::BigInt, false, Merge::Add),
        column("ages", SqlType::BigInt, false, Merge::Add),
        column("aged", SqlType::BigInt, false, Merge::Add),
        column("youngest", SqlType::Integer, true, extremes[0]),
        column("oldest", SqlType::Integer, true, extremes[1]),
        column(COUNT, SqlType::BigInt, false, Merge::Add),
    ];
    let write = WriteRule::Merge { keep_empty: false, extremes: rule };
    Table { name: ROWS.into(), columns, key: vec![0], write, indexes: vec![] }
}

fn calls(values: [Option<usize>; 2]) -> Vec<Call> {
    vec![
        Call::Count { argument: None, column: 1 },
        Call::Sum { argument: 1, column: 2, count: 3 },
        Call::Extreme { argument: 1, column: 4, largest: false, values: values[0] },
        Call::Extreme { argument: 1, column: 5, largest: true, values: values[1] },
    ]
}

fn grouped() -> Vec<Expr> {
    vec![input(2, SqlType::Text), input(3, SqlType::Integer)]
}

/// `SELECT department, count(*), sum(age), count(age), min(age), max(age) FROM users GROUP BY department`, users a Stream.
pub fn stream_totals(topic: &str) -> Plan {
    let rows = totals([Merge::Least, Merge::Greatest], vec![]);
    let output = Output::Aggregate { groups: 1, calls: calls([None, None]), rows: 0 };
    plan(source(topic, SourceKind::Stream), grouped(), None, output, vec![rows], shown(&TOTALS, None))
}

/// The same query, users a Table.
pub fn table_totals(topic: &str) -> Plan {
    let mut columns = vec![
        plain("id", SqlType::BigInt, false),
        plain("department", SqlType::Text, true),
        plain("age", SqlType::Integer, true),
    ];
    columns.extend(version());
    let state = Table { name: "state".into(), key: vec![0], columns, write: WriteRule::Versioned, indexes: vec![] };
    let values = |name: &str| Table {
        name: name.into(),
        columns: vec![
            plain("department", SqlType::Text, true),
            plain("value", SqlType::Integer, false),
            column(COUNT, SqlType::BigInt, false, Merge::Add),
        ],
        key: vec![0, 1],
        write: WriteRule::Merge { keep_empty: false, extremes: vec![] },
        indexes: vec![],
    };
    let extremes = vec![
        Extreme { column: 4, values: "smallest".into(), largest: false },
        Extreme { column: 5, values: "largest".into(), largest: true },
    ];
    let rows = totals([Merge::Derived, Merge::Derived], extremes);
    let output = Output::Aggregate { groups: 1, calls: calls([Some(2), Some(3)]), rows: 1 };
    let tables = vec![state, rows, values("smallest"), values("largest")];
    plan(source(topic, SourceKind::Table), grouped(), Some(0), output, tables, shown(&TOTALS, None))
}
