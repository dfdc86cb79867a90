//! Queries and their plans as text: over a Table and over a Stream.

mod common;

use common::{compiled, source};
use expect_test::expect_file;
use millrace_contract::{
    SqlType,
    source::{Origin, SourceColumn, SourceKind},
};
use millrace_sql::{SourceDecl, explain};
use std::fmt::Write;

fn users(kind: SourceKind) -> SourceDecl {
    let columns = [
        ("id", SqlType::BigInt),
        ("name", SqlType::Text),
        ("email", SqlType::Text),
        ("department", SqlType::Text),
        ("status", SqlType::Text),
        ("salary", SqlType::Integer),
        ("created_at", SqlType::TimestampTz),
        ("updated_at", SqlType::TimestampTz),
        ("event_type", SqlType::Text),
    ];
    let mut users = source("users", kind, &columns, &["id"]);
    if kind == SourceKind::Table {
        users.delete_when = Some("event_type = 'USER_DELETED'".into());
    }
    let at = SourceColumn { name: "at".into(), ty: SqlType::TimestampTz, origin: Origin::Timestamp };
    users.columns.push(at);
    users
}

fn queries() -> impl Iterator<Item = &'static str> {
    include_str!("plans/queries.sql").split("\n\n").map(str::trim).filter(|query| !query.is_empty())
}

fn plans(kind: SourceKind) -> String {
    let mut text = String::new();
    for query in queries() {
        let compiled = compiled(query, vec![users(kind)]).unwrap_or_else(|error| panic!("{query}\n{error}"));
        // Writing to a String does not fail.
        let _ = write!(text, "{query}\n\n{}\n----\n\n", explain(&compiled.plan));
    }
    text
}

#[test]
fn a_query_over_a_table_has_this_plan() {
    expect_file!["plans/table.txt"].assert_eq(&plans(SourceKind::Table));
}

#[test]
fn a_query_over_a_stream_has_this_plan() {
    expect_file!["plans/stream.txt"].assert_eq(&plans(SourceKind::Stream));
}

#[test]
fn a_join_has_this_plan() {
    let posts = source(
        "posts",
        SourceKind::Table,
        &[("id", SqlType::BigInt), ("user_id", SqlType::BigInt), ("title", SqlType::Text)],
        &["id"],
    );
    let mut text = String::new();
    for query in include_str!("plans/joins.sql").split("\n\n").map(str::trim) {
        let sources = vec![posts.clone(), users(SourceKind::Table)];
        let compiled = compiled(query, sources).unwrap_or_else(|error| panic!("{query}\n{error}"));
        // Writing to a String does not fail.
        let _ = write!(text, "{query}\n\n{}\n----\n\n", explain(&compiled.plan));
    }
    expect_file!["plans/joins.txt"].assert_eq(&text);
}

#[test]
fn a_revision_keeps_its_name_from_release_to_release() {
    let mut text = String::new();
    for kind in [SourceKind::Table, SourceKind::Stream] {
        for query in queries() {
            let compiled = compiled(query, vec![users(kind)]).unwrap_or_else(|error| panic!("{query}\n{error}"));
            let name = compiled.revision(0);
            let _ = writeln!(text, "{name} {kind:?} {}", compiled.canonical_query);
        }
    }
    expect_file!["golden/revisions.txt"].assert_eq(&text);
}

#[test]
fn white_space_comments_and_capitals_do_not_make_a_revision() {
    let revision = |query: &str| compiled(query, vec![users(SourceKind::Table)]).map(|compiled| compiled.revision(0));
    let written = "SELECT department, count(*) AS users FROM users GROUP BY department";
    let base = revision(written).expect("the query is good");
    for same in [
        "select Department,count( * )\n\tAs USERS -- 부서마다\nfrom users /* 사용자 */ group by DEPARTMENT;",
        "SELECT department, COUNT(*) AS users FROM users GROUP BY department ;",
    ] {
        assert_eq!(revision(same).as_ref(), Ok(&base));
    }
    for other in [
        "SELECT department, count(*) AS members FROM users GROUP BY department",
        "SELECT department, count(name) AS users FROM users GROUP BY department",
    ] {
        assert_ne!(revision(other).as_ref(), Ok(&base));
    }
    let replayed = compiled(written, vec![users(SourceKind::Table)]).expect("the query is good").revision(1);
    assert_ne!(replayed, base);
}

#[test]
fn a_column_that_the_query_does_not_use_does_not_make_a_revision() {
    let query = "SELECT id, name FROM users";
    let mut wider = users(SourceKind::Table);
    wider.columns.push(SourceColumn {
        name: "nickname".into(),
        ty: SqlType::Text,
        origin: Origin::Path(vec!["user".into(), "nickname".into()]),
    });
    let revision = |users| compiled(query, vec![users]).expect("the query is good").revision(0);
    assert_eq!(revision(users(SourceKind::Table)), revision(wider));
}

#[test]
fn the_documentation_is_what_the_table_of_functions_gives() {
    expect_file!["../../../docs/sql.md"].assert_eq(&millrace_sql::documentation());
}
