//! The oracle: whatever the history, however it is cut, wherever the worker restarts, the view's rows are those that
//! the same SQL returns in a real Postgres over the source's current rows.

mod common;

use arrow_array::Array;
use common::{EVERY_TYPE, compiled, grammar::Grammar, source};
use millrace_contract::{
    Plan, SqlType,
    ident::{literal, quote},
    source::{SourceColumn, SourceKind},
    table::WriteRule,
};
use millrace_dataflow::{
    Dataflow, Mapped, Records,
    laws::{History, Random},
    memory::MemoryStore,
    print,
};
use millrace_sql::{Compiled, SourceDecl};
use millrace_test_support::TemporaryPostgres;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use std::{collections::BTreeSet, sync::Arc};

const ZONE: chrono_tz::Tz = chrono_tz::Asia::Seoul;

/// Texts that a column takes; floats are sums of few powers of two, so that their sums do not depend on the order.
fn values(ty: SqlType) -> Vec<Option<&'static str>> {
    let texts: &[&'static str] = match ty {
        SqlType::Boolean => &["t", "f"],
        SqlType::SmallInt => &["0", "1", "-2", "7", "32767"],
        SqlType::Integer => &["0", "1", "2", "-3", "65", "100000"],
        SqlType::BigInt => &["0", "1", "2", "3000000000", "-5"],
        SqlType::Real => &["0", "0.5", "-1.25", "8"],
        SqlType::DoublePrecision => &["0", "0.5", "2.25", "-4", "1024"],
        SqlType::Numeric => &["0", "1", "1.0", "1.00", "-2.5", "0.1", "123456789012.5"],
        SqlType::Text => &["", "a", "Ab", "개발팀", "영업팀", "ab%", "z z"],
        SqlType::Date => &["2026-01-01", "2024-02-29", "1999-12-31"],
        SqlType::Time => &["00:00:00", "12:30:00.5"],
        SqlType::Timestamp => &["2026-01-01 00:00:00", "2026-01-01 23:59:59.999999"],
        SqlType::TimestampTz => &["2026-01-01 00:00:00+00", "2025-12-31 16:00:00+00", "2026-07-01 12:00:00+09"],
        SqlType::Uuid => &["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "00000000-0000-0000-0000-000000000000"],
        SqlType::Jsonb => &["{\"a\": 1}", "{\"a\": \"x\", \"b\": [1]}", "[1, 2]", "1", "null"],
    };
    texts.iter().copied().map(Some).chain([None]).collect()
}

/// One random view and its topic.
struct Case {
    seed: u64,
    declared: SourceDecl,
    query: String,
    compiled: Compiled,
    log: Vec<Records>,
}

/// A random view.
fn view_case(seed: u64) -> Result<Case, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let kind = if random.random_range(0..3) == 0 { SourceKind::Stream } else { SourceKind::Table };
    let columns = columns();
    let key: &[&str] = match (kind, seed % 4) {
        (SourceKind::Stream, _) => &[],
        (SourceKind::Table, 0) => &["id", "i4"],
        (SourceKind::Table, _) => &["id"],
    };
    let mut declared = source("users", kind, &columns, key);
    let query = Grammar { random: &mut random, columns: &columns }.query("users", kind == SourceKind::Stream);
    if kind == SourceKind::Table && seed.is_multiple_of(3) {
        let condition = ["bo", "tx = 'a'", "i4 > 50", "nu = 1"].choose(&mut random).copied().unwrap_or("bo");
        declared.delete_when = Some(condition.to_owned());
    }
    let records = random.random_range(0..90);
    case(seed, declared, query, records, &mut random)
}

/// A random expression over every record of a Stream.
fn expression_case(seed: u64) -> Result<Case, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let columns = columns();
    let mut grammar = Grammar { random: &mut random, columns: &columns };
    let kind = grammar.kind();
    let query = format!("SELECT id, {} AS \"값\" FROM users", grammar.expression(kind, 4));
    case(seed, source("users", SourceKind::Stream, &columns, &[]), query, 30, &mut random)
}

fn columns() -> Vec<(&'static str, SqlType)> {
    std::iter::once(("id", SqlType::BigInt)).chain(EVERY_TYPE).collect()
}

fn case(
    seed: u64,
    declared: SourceDecl,
    query: String,
    records: usize,
    random: &mut ChaCha8Rng,
) -> Result<Case, String> {
    let compiled = compiled(&query, vec![declared.clone()]).map_err(|error| format!("{query}\n    {error}"))?;
    let whole = whole(&compiled.plan, &declared);
    let history = History {
        source: &whole,
        records,
        keys: random.random_range(1..16),
        values: declared.columns.iter().map(|column| values(column.ty)).collect(),
        partitions: random.random_range(1..4),
        partitions_later: random.random_range(1..5),
    };
    let log = history.generate(&mut Random(seed));
    Ok(Case { seed, declared, query, compiled, log })
}

/// The plan's source with all declared columns: what the topic holds.
fn whole(plan: &Plan, declared: &SourceDecl) -> millrace_contract::Source {
    let mut whole = plan.source.clone();
    whole.columns = declared.columns.clone();
    whole.key = declared.key.iter().filter_map(|key| position(&whole.columns, key)).collect();
    whole
}

fn position(columns: &[SourceColumn], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name == name)
}

/// The records with the columns that the plan reads.
fn pruned(records: &Records, plan: &Plan, declared: &SourceDecl) -> Records {
    let columns = plan.source.columns.iter().map(|column| {
        let index = position(&declared.columns, &column.name).expect("the plan's columns are declared");
        records.columns.column(index).clone()
    });
    Records::new(
        &plan.source,
        columns.collect(),
        records.tombstones.clone(),
        records.partitions.clone(),
        records.offsets.clone(),
        records.timestamps.clone(),
    )
}

/// Runs the plan over the log in random cuts, with restarts; the store and the rejected records.
fn run(case: &Case) -> (MemoryStore, BTreeSet<(i32, i64)>) {
    let plan = Arc::new(case.compiled.plan.clone());
    let mut random = ChaCha8Rng::seed_from_u64(case.seed ^ 0x5eed);
    let start = || Dataflow::new(plan.clone()).unwrap_or_else(|error| panic!("{}: {error}", case.query));
    let log: Vec<Records> = case.log.iter().map(|part| pruned(part, &plan, &case.declared)).collect();
    let mut store = MemoryStore::new(&plan);
    let mut rejected = BTreeSet::new();
    let mut dataflow = start();
    let mut next = vec![0; log.len()];
    loop {
        let open: Vec<usize> = (0..log.len()).filter(|partition| next[*partition] < log[*partition].len()).collect();
        let Some(&partition) = open.choose(&mut random) else { break };
        let length = random.random_range(1..30).min(log[partition].len() - next[partition]);
        let records = log[partition].slice(next[partition], length);
        next[partition] += length;
        if random.random_range(0..4) == 0 {
            dataflow = start();
        }
        let mapped: Mapped = dataflow.map(&records);
        let state = dataflow.wants(&mapped).map(|wants| store.fetch(&wants));
        let writes = dataflow
            .apply(&mapped, state.as_ref())
            .unwrap_or_else(|error| panic!("seed {}, {}: {error}", case.seed, case.query));
        store.commit(&writes).unwrap_or_else(|error| panic!("seed {}, {}: {error}", case.seed, case.query));
        for failed in mapped.rejected {
            rejected.insert((records.partitions.value(failed.row), records.offsets.value(failed.row)));
        }
    }
    (store, rejected)
}

async fn execute(postgres: &mut PgConnection, sql: impl Into<String>) -> Result<(), String> {
    let sql = sql.into();
    let done = postgres.execute(AssertSqlSafe(sql.clone())).await;
    done.map(|_| ()).map_err(|error| format!("{error}\n    in {}", sql.chars().take(600).collect::<String>()))
}

fn sql_value(value: Option<&str>) -> String {
    value.map_or("NULL".to_owned(), literal)
}

/// The topic as a table `log`: all records but the rejected ones.
async fn load_log(postgres: &mut PgConnection, case: &Case, keep: impl Fn(i32, i64) -> bool) -> Result<(), String> {
    let columns: Vec<String> =
        case.declared.columns.iter().map(|column| format!("{} {}", quote(&column.name), column.ty)).collect();
    execute(postgres, "DROP TABLE IF EXISTS log, users, found, expected").await?;
    execute(
        postgres,
        format!(
            "CREATE TEMP TABLE log (_partition integer, _offset bigint, _timestamp bigint, _tombstone boolean, {})",
            columns.join(", ")
        ),
    )
    .await?;
    let mut rows = Vec::new();
    for part in &case.log {
        for row in 0..part.len() {
            let (partition, offset) = (part.partitions.value(row), part.offsets.value(row));
            if !keep(partition, offset) {
                continue;
            }
            let mut fields = vec![
                partition.to_string(),
                offset.to_string(),
                part.timestamps.value(row).to_string(),
                part.tombstones.value(row).to_string(),
            ];
            for (index, column) in case.declared.columns.iter().enumerate() {
                let array = part.columns.column(index);
                fields.push(sql_value(print(array.as_ref() as &dyn Array, column.ty, row, ZONE).as_deref()));
            }
            rows.push(format!("({})", fields.join(", ")));
        }
    }
    if rows.is_empty() {
        Ok(())
    } else {
        execute(postgres, format!("INSERT INTO log VALUES {}", rows.join(", "))).await
    }
}

/// The source's current rows as a table `users`, and the query over them as `expected`.
async fn expect(postgres: &mut PgConnection, case: &Case) -> Result<(), String> {
    let names: Vec<String> = case.declared.columns.iter().map(|column| quote(&column.name)).collect();
    let names = names.join(", ");
    let rows = match case.declared.kind {
        SourceKind::Stream => format!("SELECT {names} FROM log"),
        SourceKind::Table => {
            let key: Vec<String> = case.declared.key.iter().map(|key| quote(key)).collect();
            let deleted = case.declared.delete_when.as_deref().unwrap_or("false");
            format!(
                "SELECT {names} FROM (SELECT DISTINCT ON ({key}) * FROM \
                 (SELECT *, max(_timestamp) OVER (PARTITION BY {key}, _partition) AS _claim FROM log) AS claimed \
                 ORDER BY {key}, _claim DESC, _partition DESC, _offset DESC) AS newest \
                 WHERE NOT _tombstone AND ({deleted}) IS NOT TRUE",
                key = key.join(", ")
            )
        }
    };
    execute(postgres, format!("CREATE TEMP TABLE users AS {rows}")).await?;
    execute(postgres, format!("CREATE TEMP TABLE expected AS {}", case.query)).await
}

/// The stored rows in a schema made by the plan, and the view over them, read with other settings, as `found`.
async fn find(postgres: &mut PgConnection, case: &Case, store: &MemoryStore) -> Result<(), String> {
    let plan = &case.compiled.plan;
    execute(postgres, "DROP SCHEMA IF EXISTS revision CASCADE").await?;
    execute(postgres, "CREATE SCHEMA revision").await?;
    for statement in plan.rows().create("revision") {
        execute(postgres, statement).await?;
    }
    execute(postgres, format!("TRUNCATE revision.{}", quote(&plan.rows().name))).await?;
    let versions = if plan.rows().write == WriteRule::Versioned { ", 0, 0, 0, false" } else { "" };
    let mut rows: Vec<String> = store
        .result()
        .iter()
        .map(|row| {
            let fields: Vec<String> = row.iter().map(|field| sql_value(field.as_deref())).collect();
            format!("({}{versions})", fields.join(", "))
        })
        .collect();
    if plan.rows().write == WriteRule::Versioned {
        // A key that is deleted: nobody sees it.
        let shown = &plan.rows().columns[..plan.rows().columns.len() - 4];
        let fields: Vec<&str> = shown.iter().map(|column| if column.nullable { "NULL" } else { "-1" }).collect();
        rows.push(format!("({}, 0, 0, 0, true)", fields.join(", ")));
    }
    if !rows.is_empty() {
        execute(postgres, format!("INSERT INTO revision.{} VALUES {}", quote(&plan.rows().name), rows.join(", ")))
            .await?;
    }
    execute(postgres, "SET TIME ZONE 'America/New_York'; SET DateStyle = 'SQL, DMY'").await?;
    let found = execute(postgres, format!("CREATE TEMP TABLE found AS {}", plan.select("revision", None))).await;
    execute(postgres, "SET TIME ZONE 'Asia/Seoul'; SET DateStyle = 'ISO, MDY'").await?;
    found
}

/// A table's column types, then its rows as sorted text; numbers by value.
async fn rows(postgres: &mut PgConnection, table: &str, columns: &[(String, String)]) -> Vec<String> {
    let types = sqlx::query_scalar::<_, String>(
        "SELECT coalesce(string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum), '') \
         FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0",
    );
    let types = types.bind(table).fetch_one(&mut *postgres).await.expect("the table is there");
    let fields: Vec<String> = columns
        .iter()
        .map(|(name, ty)| {
            let value = match ty.as_str() {
                "numeric" => format!("trim_scale({})", quote(name)),
                // Minus zero is zero.
                "real" | "double precision" => format!("({} + 0)", quote(name)),
                _ => quote(name),
            };
            format!("coalesce(quote_literal({value}::text), 'null')")
        })
        .collect();
    let sql = format!("SELECT concat_ws(', ', {}) FROM {table}", fields.join(", "));
    let rows = postgres.fetch_all(AssertSqlSafe(sql)).await.expect("the table is read");
    let mut lines: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
    lines.sort();
    lines.insert(0, types);
    lines
}

/// A rejected record is one that Postgres cannot compute either.
async fn check_rejected(postgres: &mut PgConnection, case: &Case, rejected: &BTreeSet<(i32, i64)>) {
    for (partition, offset) in rejected.iter().take(3) {
        load_log(postgres, case, |p, o| (p, o) == (*partition, *offset)).await.expect("the log is loaded");
        let computed = expect(postgres, case).await;
        assert!(
            computed.is_err(),
            "seed {}: {}\nrecord {partition}/{offset} is rejected, and Postgres computes it",
            case.seed,
            case.query
        );
    }
}

/// Runs cases until `count` are compiled; returns how many records were rejected.
async fn check(count: usize, make: impl Fn(u64) -> Result<Case, String>) -> usize {
    let uri = TemporaryPostgres::database().await;
    let mut postgres = PgConnection::connect(&uri).await.expect("the server is there");
    execute(&mut postgres, "SET TIME ZONE 'Asia/Seoul'; SET client_min_messages = warning").await.expect("settings");
    let first: u64 = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    eprintln!("seeds from {first}");
    let (mut accepted, mut refused, mut failed_in_both, mut rejected_records) = (0, Vec::new(), 0, 0);
    let mut differences = Vec::new();
    for seed in first.. {
        if accepted == count {
            break;
        }
        let case = match make(seed) {
            Ok(case) => case,
            Err(refusal) => {
                refused.push(refusal);
                continue;
            }
        };
        accepted += 1;
        let (store, rejected) = run(&case);
        rejected_records += rejected.len();
        check_rejected(&mut postgres, &case, &rejected).await;
        load_log(&mut postgres, &case, |p, o| !rejected.contains(&(p, o))).await.expect("the log is loaded");
        let expected = expect(&mut postgres, &case).await;
        let found = find(&mut postgres, &case, &store).await;
        let header = format!("seed {} ({:?}): {}", case.seed, case.declared.kind, case.query);
        match (expected, found) {
            (Ok(()), Ok(())) => {
                let columns = &case.compiled.columns;
                let expected = rows(&mut postgres, "expected", columns).await;
                let found = rows(&mut postgres, "found", columns).await;
                if expected != found {
                    differences.push(format!("{header}\n  expected {expected:#?}\n  found {found:#?}"));
                }
            }
            (Err(_), Err(_)) => failed_in_both += 1,
            (expected, found) => differences.push(format!("{header}\n  expected {expected:?}\n  found {found:?}")),
        }
    }
    eprintln!(
        "{accepted} accepted, {} refused, {failed_in_both} failed in both, {rejected_records} records rejected",
        refused.len()
    );
    assert!(
        differences.is_empty(),
        "{} of {accepted} views differ:\n{}",
        differences.len(),
        differences.iter().take(6).cloned().collect::<Vec<_>>().join("\n\n")
    );
    assert!(refused.len() < accepted, "too many are refused:\n{}", refused.join("\n"));
    assert!(failed_in_both * 10 < accepted, "too many queries fail");
    rejected_records
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_has_the_rows_of_the_same_query_in_postgres() {
    check(260, view_case).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_has_the_value_that_postgres_computes() {
    let rejected = check(500, expression_case).await;
    assert!(rejected > 0, "no computation failed");
}
