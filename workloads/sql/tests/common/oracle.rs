//! What oracle tests share: a case is run through the product and through plain Postgres, and both must give the same.

use super::compiled;
use arrow_array::Array;
use millrace_contract::{
    Source, SqlType,
    ident::{literal, quote},
    source::{SourceColumn, SourceKind},
    table::WriteRule,
};
use millrace_dataflow::{
    Dataflow, Records,
    laws::{self, History, Random},
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

/// A source of the plan, a partition, and an offset.
pub type Place = (usize, i32, i64);

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

/// One random view and its topics.
pub struct Case {
    seed: u64,
    /// The declarations of the plan's sources, in their order.
    declared: Vec<SourceDecl>,
    query: String,
    compiled: Compiled,
    logs: Vec<Vec<Records>>,
}

/// The view, and random histories of `records` records for each of its sources.
pub fn case(
    seed: u64,
    declared: Vec<SourceDecl>,
    query: String,
    records: usize,
    random: &mut ChaCha8Rng,
) -> Result<Case, String> {
    let compiled = compiled(&query, declared.clone()).map_err(|error| format!("{query}\n    {error}"))?;
    let of_plan = |source: &Source| {
        let found = declared.iter().find(|declared| declared.name == source.name);
        found.expect("the plan's sources are declared").clone()
    };
    let declared: Vec<SourceDecl> = compiled.plan.sources.iter().map(of_plan).collect();
    let mut logs = Vec::new();
    for (index, (source, declared)) in compiled.plan.sources.iter().zip(&declared).enumerate() {
        let whole = whole(source, declared);
        let history = History {
            source: &whole,
            records,
            keys: random.random_range(1..16),
            values: declared.columns.iter().map(|column| values(column.ty)).collect(),
            partitions: random.random_range(1..4),
            partitions_later: random.random_range(1..5),
        };
        logs.push(history.generate(&mut Random(seed.wrapping_add(index as u64 * 7919))));
    }
    Ok(Case { seed, declared, query, compiled, logs })
}

/// The plan's source with all declared columns: what the topic holds.
fn whole(source: &Source, declared: &SourceDecl) -> Source {
    let mut whole = source.clone();
    whole.columns = declared.columns.clone();
    whole.key = declared.key.iter().filter_map(|key| position(&whole.columns, key)).collect();
    whole
}

fn position(columns: &[SourceColumn], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name == name)
}

/// The records with the columns that the plan reads; those that are not declared are positions.
fn pruned(records: &Records, source: &Source, declared: &SourceDecl) -> Records {
    let columns = source.columns.iter().map(|column| match position(&declared.columns, &column.name) {
        Some(index) => records.columns.column(index).clone(),
        None if column.ty == SqlType::Integer => Arc::new(records.partitions.clone()),
        None => Arc::new(records.offsets.clone()),
    });
    Records::new(
        source,
        columns.collect(),
        records.tombstones.clone(),
        records.partitions.clone(),
        records.offsets.clone(),
        records.timestamps.clone(),
    )
}

/// Runs the plan over the logs in random cuts, with restarts; the store and the rejected records.
fn run(case: &Case) -> (MemoryStore, BTreeSet<Place>) {
    let plan = Arc::new(case.compiled.plan.clone());
    let mut random = ChaCha8Rng::seed_from_u64(case.seed ^ 0x5eed);
    let start = || Dataflow::new(plan.clone()).unwrap_or_else(|error| panic!("{}: {error}", case.query));
    let logs: Vec<Vec<Records>> = case
        .logs
        .iter()
        .enumerate()
        .map(|(index, log)| log.iter().map(|part| pruned(part, &plan.sources[index], &case.declared[index])).collect())
        .collect();
    let mut store = MemoryStore::new(&plan);
    let mut rejected = BTreeSet::new();
    let mut dataflow = start();
    let mut next: Vec<Vec<usize>> = logs.iter().map(|log| vec![0; log.len()]).collect();
    eprintln!("seed {}: {}", case.seed, case.query);
    loop {
        let all = logs.iter().enumerate().flat_map(|(source, log)| (0..log.len()).map(move |part| (source, part)));
        let open: Vec<(usize, usize)> =
            all.filter(|&(source, part)| next[source][part] < logs[source][part].len()).collect();
        let Some(&(source, part)) = open.choose(&mut random) else { break };
        let at = next[source][part];
        let length = random.random_range(1..30).min(logs[source][part].len() - at);
        next[source][part] += length;
        let mut records: Vec<Records> = plan.sources.iter().map(Records::empty).collect();
        records[source] = logs[source][part].slice(at, length);
        if random.random_range(0..4) == 0 {
            dataflow = start();
        }
        let (writes, mapped) = laws::run(&dataflow, &store, &records);
        store.commit(&writes).unwrap_or_else(|error| panic!("seed {}, {}: {error}", case.seed, case.query));
        for failed in mapped.rejected {
            let records = &records[failed.source];
            rejected.insert((failed.source, records.partitions.value(failed.row), records.offsets.value(failed.row)));
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

/// The topic of a source as a table: all records but the rejected ones.
async fn load_log(
    postgres: &mut PgConnection,
    declared: &SourceDecl,
    log: &[Records],
    keep: impl Fn(i32, i64) -> bool,
) -> Result<(), String> {
    let columns: Vec<String> =
        declared.columns.iter().map(|column| format!("{} {}", quote(&column.name), column.ty)).collect();
    let name = quote(&format!("{}_log", declared.name));
    execute(postgres, format!("DROP TABLE IF EXISTS {name}, {}", quote(&declared.name))).await?;
    execute(
        postgres,
        format!(
            "CREATE TEMP TABLE {name} (_partition integer, _offset bigint, _timestamp bigint, _tombstone boolean, {})",
            columns.join(", ")
        ),
    )
    .await?;
    let mut rows = Vec::new();
    for part in log {
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
            for (index, column) in declared.columns.iter().enumerate() {
                let array = part.columns.column(index);
                fields.push(sql_value(print(array.as_ref() as &dyn Array, column.ty, row, ZONE).as_deref()));
            }
            rows.push(format!("({})", fields.join(", ")));
        }
    }
    if rows.is_empty() {
        Ok(())
    } else {
        execute(postgres, format!("INSERT INTO {name} VALUES {}", rows.join(", "))).await
    }
}

async fn load_logs(
    postgres: &mut PgConnection,
    case: &Case,
    keep: impl Fn(usize, i32, i64) -> bool,
) -> Result<(), String> {
    for (source, (declared, log)) in case.declared.iter().zip(&case.logs).enumerate() {
        load_log(postgres, declared, log, |partition, offset| keep(source, partition, offset)).await?;
    }
    Ok(())
}

/// The current rows of the sources as tables of their names, and the query over them as `expected`.
async fn expect(postgres: &mut PgConnection, case: &Case) -> Result<(), String> {
    for declared in &case.declared {
        let names: Vec<String> = declared.columns.iter().map(|column| quote(&column.name)).collect();
        let (names, log) = (names.join(", "), quote(&format!("{}_log", declared.name)));
        let rows = match declared.kind {
            SourceKind::Stream => format!("SELECT {names} FROM {log}"),
            SourceKind::Table => {
                let key: Vec<String> = declared.key.iter().map(|key| quote(key)).collect();
                let deleted = declared.delete_when.as_deref().unwrap_or("false");
                format!(
                    "SELECT {names} FROM (SELECT DISTINCT ON ({key}) * FROM \
                     (SELECT *, max(_timestamp) OVER (PARTITION BY {key}, _partition) AS _claim FROM {log}) AS claimed \
                     ORDER BY {key}, _claim DESC, _partition DESC, _offset DESC) AS newest \
                     WHERE NOT _tombstone AND ({deleted}) IS NOT TRUE",
                    key = key.join(", ")
                )
            }
        };
        execute(postgres, format!("CREATE TEMP TABLE {} AS {rows}", quote(&declared.name))).await?;
    }
    execute(postgres, "DROP TABLE IF EXISTS expected").await?;
    execute(postgres, format!("CREATE TEMP TABLE expected AS {}", case.query)).await
}

/// The stored rows in a schema made by the plan, and the view over them, read with other settings, as `found`.
async fn find(postgres: &mut PgConnection, case: &Case, store: &MemoryStore) -> Result<(), String> {
    let plan = &case.compiled.plan;
    execute(postgres, "DROP TABLE IF EXISTS found; DROP SCHEMA IF EXISTS revision CASCADE").await?;
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
async fn check_rejected(postgres: &mut PgConnection, case: &Case, rejected: &BTreeSet<Place>) {
    for &(source, partition, offset) in rejected.iter().take(3) {
        load_logs(postgres, case, |s, p, o| (s, p, o) == (source, partition, offset)).await.expect("the log is loaded");
        let computed = expect(postgres, case).await;
        assert!(
            computed.is_err(),
            "seed {}: {}\nrecord {partition}/{offset} of source {source} is rejected, and Postgres computes it",
            case.seed,
            case.query
        );
    }
}

/// Runs cases until `count` are compiled; returns how many records were rejected.
pub async fn check(count: usize, mut make: impl FnMut(u64) -> Result<Case, String>) -> usize {
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
        if case.declared.len() == 1 {
            check_rejected(&mut postgres, &case, &rejected).await;
        }
        load_logs(&mut postgres, &case, |s, p, o| !rejected.contains(&(s, p, o))).await.expect("the log is loaded");
        let expected = expect(&mut postgres, &case).await;
        let found = find(&mut postgres, &case, &store).await;
        let kinds: Vec<SourceKind> = case.declared.iter().map(|declared| declared.kind).collect();
        let header = format!("seed {} ({kinds:?}): {}", case.seed, case.query);
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
