//! What is refused, and the sentence that the writer of the manifest reads: place, what was found, why, what to write.

mod common;

use common::{EVERY_TYPE, source};
use expect_test::expect_file;
use millrace_contract::source::SourceKind;
use millrace_sql::{SourceDecl, ViewQuery, compile};
use std::fmt::Write;

fn users() -> SourceDecl {
    let mut columns = vec![("id", millrace_contract::SqlType::BigInt), ("name", millrace_contract::SqlType::Text)];
    columns.push(("department", millrace_contract::SqlType::Text));
    columns.extend(EVERY_TYPE);
    source("users", SourceKind::Table, &columns, &["id"])
}

fn sentence(view: &ViewQuery<'_>) -> String {
    match compile(view) {
        Ok(compiled) => panic!("compiled: {} as {:?}", view.query, compiled.columns),
        Err(error) => error.to_string(),
    }
}

/// Queries over the Table `users`, one a paragraph.
const QUERIES: &str = include_str!("refused/queries.sql");

#[test]
fn a_refused_query_says_where_what_why_and_what_to_write() {
    let mut found = String::new();
    let queries: Vec<&str> = QUERIES.split("\n\n").map(str::trim).filter(|query| !query.is_empty()).collect();
    assert!(queries.len() >= 60, "{} queries", queries.len());
    for query in queries {
        let sentence = sentence(&ViewQuery { query, sources: vec![users()], time_zone: "UTC" });
        // Writing to a String does not fail.
        let _ = write!(found, "{query}\n=> {sentence}\n\n");
    }
    expect_file!["refused/sentences.txt"].assert_eq(&found);
}

#[test]
fn a_refused_source_says_which_field_is_wrong() {
    let view = |query, sources| ViewQuery { query, sources, time_zone: "UTC" };
    let changed = |change: &dyn Fn(&mut SourceDecl)| {
        let mut users = users();
        change(&mut users);
        users
    };
    let all = "SELECT id FROM users";
    let posts = source("posts", SourceKind::Stream, &EVERY_TYPE, &[]);
    let mut found = String::new();
    for view in [
        view(all, vec![users(), posts.clone()]),
        view(all, vec![changed(&|users| users.key.clear())]),
        view(all, vec![changed(&|users| users.key = vec!["아이디".into()])]),
        view(all, vec![changed(&|users| users.key = vec!["id".into(), "name".into()])]),
        view(all, vec![changed(&|users| users.key = vec!["id".into(), "id".into()])]),
        view(all, vec![changed(&|users| users.delete_when = Some("상태 = '삭제'".into()))]),
        view(all, vec![changed(&|users| users.delete_when = Some("/* 삭제 */ name".into()))]),
        view(all, vec![changed(&|users| users.delete_when = Some("users.name = 'x'".into()))]),
        view(all, vec![changed(&|users| users.delete_when = Some("count(*) > 1".into()))]),
        view(all, vec![changed(&|users| users.delete_when = Some("name = 'x' name".into()))]),
        view(all, vec![changed(&|users| users.kind = SourceKind::Stream)]),
        ViewQuery { query: all, sources: vec![users()], time_zone: "Asia/Seuol" },
    ]
    .map(|mut view| {
        if view.sources[0].kind == SourceKind::Stream {
            view.sources[0].delete_when = Some("bo".into());
        }
        view
    }) {
        let _ = writeln!(found, "{}", sentence(&view));
    }
    expect_file!["refused/sources.txt"].assert_eq(&found);
}

#[test]
fn a_megabyte_of_sql_is_refused_before_it_is_read() {
    let query = format!("SELECT id FROM users WHERE id IN ({})", vec!["1"; 500_000].join(","));
    let found = sentence(&ViewQuery { query: &query, sources: vec![users()], time_zone: "UTC" });
    assert_eq!(
        found,
        "spec.query: found a text of 1000034 bytes; at most 100000 bytes are compiled: split the view into several, or \
         move fixed lists into a topic"
    );
}

#[test]
fn chains_and_nests_of_any_length_are_answered() {
    for (query, end) in [
        (format!("SELECT {} AS x FROM users", vec!["1"; 9_000].join("+")), "refused"),
        (format!("SELECT {}1{} AS x FROM users", "(".repeat(20_000), ")".repeat(20_000)), "refused"),
        (format!("SELECT {}1 AS x FROM users", "- ".repeat(15_000)), "refused"),
        (format!("SELECT {}true AS x FROM users", "NOT ".repeat(15_000)), "refused"),
        (
            format!("SELECT {}1{} AS x FROM users", "CASE WHEN true THEN ".repeat(3_000), " END".repeat(3_000)),
            "refused",
        ),
        (format!("SELECT {}1{} AS x FROM users", "lower(".repeat(5_000), ")".repeat(5_000)), "refused"),
        (format!("SELECT id FROM users WHERE {}", vec!["id = 1"; 3_000].join(" OR ")), "compiled"),
        (format!("SELECT id FROM users WHERE id IN ({})", vec!["1"; 9_000].join(",")), "compiled"),
        (format!("SELECT {} AS x FROM users", vec!["name"; 60].join(" || ")), "refused"),
    ] {
        let result = compile(&ViewQuery { query: &query, sources: vec![users()], time_zone: "UTC" });
        let outcome = if result.is_ok() { "compiled" } else { "refused" };
        assert_eq!(outcome, end, "{}… {:?}", query.chars().take(60).collect::<String>(), result.err());
    }
}
