//! The types of expressions are those that a real Postgres gives them, and what is ill-typed there is refused here.

mod common;

use common::{EVERY_TYPE, compiled, grammar::Grammar, source};
use millrace_contract::{SqlType, source::SourceKind};
use millrace_dataflow::function::{Sql, functions};
use millrace_test_support::TemporaryPostgres;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use sqlx::{AssertSqlSafe, Column, Connection, Executor, PgConnection, SqlSafeStr, Statement, TypeInfo};
use std::collections::BTreeSet;

/// What the compiler says of an expression.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Type(String),
    /// It is good SQL, but not for views.
    NotYet(String),
    Wrong(String),
}

fn ours(expression: &str) -> Verdict {
    let query = format!("SELECT {expression} AS x FROM t");
    match compiled(&query, vec![source("t", SourceKind::Stream, &EVERY_TYPE, &[])]) {
        Ok(compiled) => Verdict::Type(compiled.columns[0].1.clone()),
        Err(error) => {
            let sentence = error.to_string();
            let not_yet = [
                "yet",
                "in this version",
                "would change without a record",
                "views know",
                "no name",
                "not supported",
                "not clear",
            ];
            if not_yet.iter().any(|mark| sentence.contains(mark)) {
                Verdict::NotYet(sentence)
            } else {
                Verdict::Wrong(sentence)
            }
        }
    }
}

/// The name of a type in a manifest, for the names that the driver has.
fn manifest_name(name: &str) -> String {
    match name {
        "BOOL" => "boolean".into(),
        "INT2" => "smallint".into(),
        "INT4" => "integer".into(),
        "INT8" => "bigint".into(),
        "FLOAT4" => "real".into(),
        "FLOAT8" => "double precision".into(),
        "VARCHAR" => "text".into(),
        other => other.to_lowercase(),
    }
}

async fn theirs(postgres: &mut PgConnection, expression: &str) -> Result<String, String> {
    let query = format!("SELECT {expression} AS x FROM t");
    match postgres.prepare(AssertSqlSafe(query).into_sql_str()).await {
        Ok(statement) => Ok(manifest_name(statement.columns()[0].type_info().name())),
        Err(error) => Err(error.to_string()),
    }
}

async fn postgres() -> PgConnection {
    let uri = TemporaryPostgres::database().await;
    let mut postgres = PgConnection::connect(&uri).await.expect("the server is there");
    let columns: Vec<String> = EVERY_TYPE.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
    let create = format!("CREATE TABLE t ({})", columns.join(", "));
    postgres.execute(AssertSqlSafe(create)).await.expect("the table is made");
    postgres
}

/// Compares both on every expression; returns how many both accepted.
async fn check(expressions: impl IntoIterator<Item = String>) -> usize {
    let mut postgres = postgres().await;
    let expressions: BTreeSet<String> = expressions.into_iter().collect();
    let mut differences = Vec::new();
    let mut accepted = 0;
    for (index, expression) in expressions.iter().enumerate() {
        if index % 500 == 499 {
            // Prepared statements pile up on a connection.
            postgres.execute("DEALLOCATE ALL").await.expect("statements go");
        }
        let mine = ours(expression);
        let real = theirs(&mut postgres, expression).await;
        match (&mine, &real) {
            (Verdict::Type(mine), Ok(real)) if mine == real => accepted += 1,
            (Verdict::NotYet(_), Ok(_)) | (Verdict::NotYet(_) | Verdict::Wrong(_), Err(_)) => {}
            (Verdict::Type(_) | Verdict::Wrong(_), _) => {
                differences.push(format!("{expression}\n    ours:     {mine:?}\n    Postgres: {real:?}"));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} expressions differ:\n{}",
        differences.len(),
        expressions.len(),
        differences.into_iter().take(40).collect::<Vec<_>>().join("\n")
    );
    accepted
}

/// Columns of every type, literals without a type, typed constants.
fn operands() -> Vec<String> {
    let mut operands: Vec<String> = EVERY_TYPE.iter().map(|(name, _)| (*name).to_owned()).collect();
    operands.extend(["'1'", "NULL", "1", "3000000000", "1.5", "true", "-2147483648", ".5"].map(str::to_owned));
    operands
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_have_the_types_that_postgres_gives_them() {
    let mut names: BTreeSet<&str> =
        BTreeSet::from(["=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "^", "||"]);
    names.extend(["->", "->>", "@>", "<@", "?", "&", "|", "#", "<<", ">>", "~", "~*", "!~", "!~*", "#>", "#>>", "#-"]);
    names.extend(functions().iter().filter_map(|function| match function.sql {
        Sql::Operator(name) => Some(name),
        Sql::Prefix(_) | Sql::Function(_) | Sql::Cast(_) => None,
    }));
    let mut expressions = Vec::new();
    for name in names {
        for left in operands() {
            for right in operands() {
                expressions.push(format!("{left} {name} {right}"));
            }
        }
    }
    for name in ["+", "-", "~", "@", "|/", "||/", "NOT"] {
        expressions.extend(operands().into_iter().map(|operand| format!("{name} {operand}")));
    }
    for path in ["{a,0}", "{}", "{a", "a", "{{a},{b}}", "{\"a b\"}", "{,}"] {
        expressions.push(format!("js #> '{path}'"));
        expressions.push(format!("js #>> '{path}'"));
    }
    let accepted = check(expressions).await;
    assert!(accepted > 600, "only {accepted} operators were typed by both");
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_with_several_values_have_the_common_type_that_postgres_finds() {
    let mut expressions = Vec::new();
    for left in operands() {
        for right in operands() {
            for form in [
                "coalesce({l}, {r})",
                "CASE WHEN bo THEN {l} ELSE {r} END",
                "CASE {l} WHEN {r} THEN 1 END",
                "nullif({l}, {r})",
                "greatest({l}, {r})",
                "least({r}, {l}, {l})",
                "{l} IN ({r}, {r})",
                "{l} NOT IN ({r}, 1, '2')",
                "{l} BETWEEN {r} AND {l}",
                "{l} IS DISTINCT FROM {r}",
                "{l} LIKE {r}",
                "{l} NOT ILIKE {r} ESCAPE '!'",
            ] {
                expressions.push(form.replace("{l}", &left).replace("{r}", &right));
            }
        }
        for form in [
            "{l} IS NULL",
            "{l} IS NOT TRUE",
            "{l} IS UNKNOWN",
            "CASE WHEN {l} THEN 1 ELSE 2.5 END",
            "{l} AND bo",
            "bo OR {l}",
            "extract(year FROM {l})",
            "extract(epoch FROM {l})",
            "substring({l} FROM 2 FOR 3)",
            "substring({l} FOR 3)",
            "substring({l}, 2)",
            "trim({l})",
            "trim(LEADING 'x' FROM {l})",
            "position('a' IN {l})",
            "overlay({l} PLACING 'x' FROM 2)",
            "{l} AT TIME ZONE 'Asia/Seoul'",
            "ceil({l})",
            "floor({l})",
            "- {l}",
            "{l} COLLATE \"C\"",
        ] {
            expressions.push(form.replace("{l}", &left));
        }
    }
    let accepted = check(expressions).await;
    assert!(accepted > 600, "only {accepted} forms were typed by both");
}

#[tokio::test(flavor = "multi_thread")]
async fn casts_are_those_of_postgres() {
    let mut expressions = Vec::new();
    for operand in operands() {
        for ty in SqlType::ALL {
            expressions.push(format!("CAST({operand} AS {ty})"));
            expressions.push(format!("({operand})::{ty}"));
        }
        for name in ["text", "int4", "float8", "date", "timestamptz", "numeric", "bool", "jsonb"] {
            expressions.push(format!("\"{name}\"({operand})"));
        }
    }
    for ty in SqlType::ALL {
        for text in ["1", "t", " 42 ", "2026-02-30", "2026-02-28", "{\"a\": 1}", "1e3", "NaN", "", "12:30", "infinity"]
        {
            expressions.push(format!("{ty} '{text}'"));
            expressions.push(format!("'{text}'::{ty}"));
        }
    }
    let accepted = check(expressions).await;
    assert!(accepted > 200, "only {accepted} casts were typed by both");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_chosen_as_postgres_chooses_them() {
    let names: BTreeSet<&str> = functions()
        .iter()
        .filter_map(|function| match function.sql {
            Sql::Function(name) => Some(name),
            Sql::Operator(_) | Sql::Prefix(_) | Sql::Cast(_) => None,
        })
        // Forms of the grammar, and what only serves other functions.
        .filter(|name| !["extract", "position", "overlay", "substring", "boolout"].contains(name))
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(20_260_101);
    let operands = operands();
    let mut expressions = Vec::new();
    for name in names {
        expressions.push(format!("{name}()"));
        expressions.extend(operands.iter().map(|operand| format!("{name}({operand})")));
        for _ in 0..60 {
            let count = random.random_range(2..=4);
            let arguments: Vec<&str> =
                (0..count).filter_map(|_| operands.choose(&mut random)).map(String::as_str).collect();
            expressions.push(format!("{name}({})", arguments.join(", ")));
        }
        // The signatures themselves, and with their literals left open.
        for function in functions().iter().filter(|function| function.sql == Sql::Function(name)) {
            let columns: Vec<&str> = function
                .arguments
                .iter()
                .filter_map(|ty| EVERY_TYPE.iter().find(|(_, known)| known == ty).map(|(column, _)| *column))
                .collect();
            expressions.push(format!("{name}({})", columns.join(", ")));
            for open in 0..columns.len() {
                let mut columns = columns.clone();
                columns[open] = "'1'";
                expressions.push(format!("{name}({})", columns.join(", ")));
            }
        }
    }
    check(expressions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_expressions_have_the_types_that_postgres_gives_them() {
    let seed = 7;
    eprintln!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut expressions = Vec::new();
    for number in 0..3000 {
        let mut grammar = Grammar { random: &mut random, columns: &EVERY_TYPE };
        let kind = grammar.kind();
        let mut expression = grammar.expression(kind, 3);
        if number % 4 == 1 {
            // One name for another: most of these are ill-typed.
            let (from, to) = (operands().choose(&mut random).cloned(), operands().choose(&mut random).cloned());
            expression = expression.replacen(&from.unwrap_or_default(), &to.unwrap_or_default(), 1);
        }
        expressions.push(expression);
    }
    let accepted = check(expressions).await;
    assert!(accepted > 1000, "only {accepted} expressions were typed by both");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_that_of_a_real_postgres_15() {
    let mut postgres = postgres().await;
    let query = include_str!("../src/postgres/catalogue.sql");
    let lines: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut postgres).await.expect("the query runs");
    let expected: Vec<&str> = include_str!("../src/postgres/catalogue.txt").lines().collect();
    assert_eq!(lines, expected);
}
