//! How long readers wait for a cut-over: two revisions take turns while readers poll and two others read for long.

use anyhow::{Context, Result, bail};
use millrace_contract::{ident::quote, plan::Plan};
use millrace_crds::MaterializedView;
use millrace_operator::{
    view::{
        action::{Action, NewRevision, Owner, Start},
        desired::{Desired, Image},
        name::Revision,
        shown::{Shown, columns, first_sql, plain_sql, switch_sql},
        spec::{Settings, parse},
        tenancy::Tenancy,
    },
    world::{Performed, postgres},
};
use millrace_test_support::TemporaryPostgres;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgPoolOptions};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const ROWS: i64 = 200_000;
const POLLING: usize = 6;
const POLLED: &str = "SELECT count(*) FROM shop.users WHERE id < 100";
/// As often as the operator tries again while readers hold the name.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// The longest that any polling reader waited, at each of so many steps.
pub struct Waits {
    what: &'static str,
    longest: Vec<Duration>,
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut longest = self.longest.clone();
        longest.sort();
        let at = |percent: usize| longest.get((longest.len() * percent / 100).min(longest.len().saturating_sub(1)));
        let milliseconds = |wait: Option<&Duration>| wait.map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3);
        write!(
            f,
            "{:<62} longest wait of a reader: p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms of {} times",
            self.what,
            milliseconds(at(50)),
            milliseconds(at(99)),
            milliseconds(longest.last()),
            longest.len()
        )
    }
}

/// A poll: when it was begun and when it was answered.
type Poll = (Instant, Instant);

pub async fn measure(server: &TemporaryPostgres, times: usize) -> Result<[Waits; 3]> {
    let database = server.new_owned_database().await;
    let pool = PgPoolOptions::new().max_connections(16).connect(&database.uri).await?;
    let desired = desired()?;
    let plan = desired.query.as_ref().map_err(|trouble| anyhow::anyhow!("{trouble}"))?.plan.clone();
    let pair = [Revision("aaaaaaaa".into()), Revision("bbbbbbbb".into())];
    set_up(&pool, &desired, &plan, &pair).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let polling: Vec<_> = (0..POLLING).map(|_| tokio::spawn(poll(database.uri.clone(), stop.clone()))).collect();
    let (mut switched, mut held, mut cut) = (Vec::new(), Vec::new(), Vec::new());
    for time in 0..times {
        let (live, next) = (&pair[time % 2], &pair[(time + 1) % 2]);
        let switch = Shown::Switch { live: live.clone(), next: next.clone() };
        let (view, shown) = (&desired.identity.name, columns(&plan));
        let show = |from: &Shown, to: &Shown, live: &Revision, sql: String| Action::Show {
            live: live.clone(),
            expected: from.to_string(),
            shown: to.to_string(),
            sql,
        };
        let plain = Shown::Plain(live.clone());
        let sql = switch_sql(view, &desired.target, (live, &plan), (next, &plan), &shown);
        switched.push(until_done(&pool, &desired, &show(&plain, &switch, live, sql)).await?);

        // A report that takes a minute, and a transaction that sees the time before.
        let mut report = long_reader(&database.uri, "BEGIN").await?;
        let mut snapshot = long_reader(&database.uri, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let begun = Instant::now();
        let cut_over = Action::CutOver { live: live.clone(), next: next.clone(), unfinished: false };
        perform(&pool, &desired, &cut_over).await?;
        cut.push((begun, Instant::now()));
        // Meanwhile the operator tries to make the view plain again, in vain.
        let (plain, sql) = (Shown::Plain(next.clone()), plain_sql(view, &desired.target, next, &plan, &shown));
        let show = show(&switch, &plain, next, sql);
        let begun = Instant::now();
        let tried = postgres::perform(&pool, &desired, &show, None).await;
        anyhow::ensure!(matches!(tried, Ok(Performed::NotYet(_))), "the name was free: {tried:?}");
        held.push((begun, Instant::now()));
        for reader in [&mut report, &mut snapshot] {
            sqlx::raw_sql("COMMIT").execute(&mut *reader).await?;
        }
        until_done(&pool, &desired, &show).await?;
        perform(&pool, &desired, &Action::ReopenRevision { revision: live.clone() }).await?;
        drop((report, snapshot));
    }
    stop.store(true, Ordering::Relaxed);
    let mut polls: Vec<Poll> = Vec::new();
    for reader in polling {
        polls.extend(reader.await??);
    }
    Ok([
        waits("the view becomes a switch", &switched, &polls),
        waits("the cut-over, with two long readers open", &cut, &polls),
        waits("a try to make it plain, with two long readers open", &held, &polls),
    ])
}

/// The longest poll that overlaps each of the steps.
fn waits(what: &'static str, steps: &[(Instant, Instant)], polls: &[Poll]) -> Waits {
    let longest = |&(begun, ended): &(Instant, Instant)| {
        let met = polls.iter().filter(|(from, to)| *from <= ended && begun <= *to);
        met.map(|(from, to)| *to - *from).max().unwrap_or_default()
    };
    Waits { what, longest: steps.iter().map(longest).collect() }
}

async fn poll(uri: String, stop: Arc<AtomicBool>) -> Result<Vec<Poll>> {
    let mut connection = PgConnection::connect(&uri).await?;
    let mut polls = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let _: i64 = sqlx::query_scalar(POLLED).fetch_one(&mut connection).await?;
        polls.push((begun, Instant::now()));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(polls)
}

async fn long_reader(uri: &str, begin: &'static str) -> Result<PgConnection> {
    let mut connection = PgConnection::connect(uri).await?;
    sqlx::raw_sql(begin).execute(&mut connection).await?;
    sqlx::raw_sql(POLLED).execute(&mut connection).await?;
    Ok(connection)
}

async fn perform(pool: &PgPool, desired: &Desired, action: &Action) -> Result<()> {
    match postgres::perform(pool, desired, action, None).await {
        Ok(Performed::Done) => Ok(()),
        other => bail!("{action}: {other:?}"),
    }
}

/// Tries as the operator does: when it was begun, and when it was done.
async fn until_done(pool: &PgPool, desired: &Desired, action: &Action) -> Result<(Instant, Instant)> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        match postgres::perform(pool, desired, action, None).await {
            Ok(Performed::Done) => return Ok((begun, Instant::now())),
            Ok(Performed::NotYet(_)) => tokio::time::sleep(TRY_AGAIN).await,
            Err(trouble) => bail!("{action}: {trouble}"),
        }
    }
    bail!("{action}: not done in a minute")
}

async fn set_up(pool: &PgPool, desired: &Desired, plan: &Plan, pair: &[Revision; 2]) -> Result<()> {
    perform(pool, desired, &Action::MigrateCatalog).await?;
    perform(pool, desired, &Action::ClaimView { target: desired.target.clone(), from: Owner::NoRow }).await?;
    for revision in pair {
        let schema = desired.identity.name.schema(revision);
        let start = Start {
            topic: "user-events".into(),
            partition: 0,
            topic_id: "topic".into(),
            kafka_cluster_id: "cluster".into(),
            offset: 0,
        };
        let new = NewRevision {
            revision: revision.clone(),
            spec_hash: String::new(),
            plan: plan.to_json(),
            plan_format: i32::try_from(plan.format)?,
            tables: plan.tables.iter().flat_map(|table| table.create(&schema)).collect(),
            errors_policy: "DeadLetter".into(),
            errors_stop_above: None,
            pace: None,
            worker_image: String::new(),
            kafka_cluster_id: "cluster".into(),
            starts: vec![start],
            replay_count: (0, 0),
            replay: None,
            concurrent: 4,
        };
        perform(pool, desired, &Action::CreateRevision(Box::new(new))).await?;
        let fill = format!(
            "INSERT INTO {}.{} (id, name, _partition, _offset, _timestamp, _deleted)
             SELECT id, 'user ' || id, 0, id, 0, false FROM generate_series(1, {ROWS}) AS id",
            quote(&schema),
            quote(&plan.rows().name)
        );
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(pool).await.context("rows of a revision")?;
        if revision == &pair[0] {
            let sql = first_sql(&desired.identity.name, &desired.target, revision, plan);
            let target = desired.target.clone();
            perform(pool, desired, &Action::ShowFirst { revision: revision.clone(), target, sql }).await?;
        }
    }
    sqlx::raw_sql("ANALYZE").execute(pool).await?;
    Ok(())
}

fn desired() -> Result<Desired> {
    let view: MaterializedView = serde_json::from_value(json!({
        "apiVersion": "millrace.dev/v1alpha1",
        "kind": "MaterializedView",
        "metadata": {"name": "users", "namespace": "shop", "uid": "uid", "generation": 1},
        "spec": {
            "sources": [{
                "name": "users", "topic": "user-events", "as": "Table", "keyFormat": "Text", "key": ["id"],
                "columns": [{"name": "id", "type": "bigint"}, {"name": "name", "type": "text"}],
            }],
            "query": "SELECT id, name FROM users",
            "target": {"schema": "shop", "name": "users"},
        },
    }))?;
    let image = Image { name: String::new(), pull_policy: String::new() };
    Ok(parse(&view, &Settings { image, tenancy: Tenancy::default(), concurrent_rollouts: 4 }))
}
