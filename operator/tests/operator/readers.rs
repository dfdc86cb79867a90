//! Readers during a replay, on a real Postgres: no error, no decrease, no partial table, whatever snapshot they have.

use crate::stage::{Stage, live, users_view};
use sqlx::{Connection, PgConnection, PgPool};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// A stand-in for the workers of every open revision: moves one record a partition in one transaction with its row, as
/// fast as `behind` lets it. A revision other than the first one it met reads what is there in larger steps.
async fn work(pool: PgPool, log: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let end = log.load(Ordering::Relaxed);
        let tasks: Vec<(String, String, i32, i64)> = sqlx::query_as(
            "SELECT r.revision, r.schema_name, p.partition, p.next_offset FROM millrace.revision r
             JOIN millrace.progress p ON p.revision = r.revision WHERE r.state = 'open'",
        )
        .fetch_all(&pool)
        .await
        .expect("the catalog answers");
        for (revision, schema, partition, next) in tasks {
            let upto = (next + 40).min(end as i64);
            if upto <= next {
                continue;
            }
            // As a worker does: the fence first, and nothing when it does not hold.
            let mut transaction = pool.begin().await.expect("a transaction");
            let fenced = sqlx::query(
                "UPDATE millrace.progress p SET next_offset = $4, committed_at = now() FROM millrace.revision r
                 WHERE p.revision = $1 AND p.partition = $2 AND p.next_offset = $3
                   AND r.revision = p.revision AND r.state = 'open'",
            )
            .bind(&revision)
            .bind(partition)
            .bind(next)
            .bind(upto)
            .execute(&mut *transaction)
            .await
            .expect("the fence answers");
            if fenced.rows_affected() == 1 {
                let insert = format!(
                    "INSERT INTO \"{schema}\".rows SELECT n * 10 + $1, 'user', $1, n, 0, false
                     FROM generate_series($2::bigint, $3::bigint - 1) AS n"
                );
                sqlx::query(sqlx::AssertSqlSafe(insert))
                    .bind(partition)
                    .bind(next)
                    .bind(upto)
                    .execute(&mut *transaction)
                    .await
                    .expect("the rows are written");
            }
            transaction.commit().await.expect("the epoch commits");
        }
    }
}

/// Counts rows again and again; each look sees at least what the one before saw.
async fn poll(uri: String, repeatable: bool, stop: Arc<AtomicBool>) -> u64 {
    let mut connection = PgConnection::connect(&uri).await.expect("readers connect");
    let (mut polls, mut seen) = (0, 0);
    let count = "SELECT count(*) FROM shop.user_view";
    while !stop.load(Ordering::Relaxed) {
        if repeatable {
            sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut connection).await.expect("begins");
            // The snapshot is taken here, before the view is first used.
            sqlx::query("SELECT 1 FROM pg_class LIMIT 1").execute(&mut connection).await.expect("a snapshot");
            tokio::time::sleep(Duration::from_millis(150)).await;
            let first: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.expect("readers see no error");
            tokio::time::sleep(Duration::from_millis(50)).await;
            let second: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.expect("readers see no error");
            sqlx::raw_sql("COMMIT").execute(&mut connection).await.expect("commits");
            assert_eq!(first, second, "one snapshot sees one state");
            assert!(first >= seen, "a reader saw {seen} rows, then {first}");
            (seen, polls) = (first, polls + 2);
        } else {
            let rows: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.expect("readers see no error");
            assert!(rows >= seen, "a reader saw {seen} rows, then {rows}");
            (seen, polls) = (rows, polls + 1);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    polls
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_notice_nothing_of_a_replay() {
    let stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    stage.apply(users_view("user-view", &topic)).await;
    let first = live(&stage.ready("user-view").await);

    // The topic stays empty, so that the operator compares revisions with each other; the log is this number.
    let log = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let worker = tokio::spawn(work(stage.pool.clone(), log.clone(), stop.clone()));
    let producer = tokio::spawn({
        let (log, stop) = (log.clone(), stop.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                log.fetch_add(3, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let readers: Vec<_> = [false, false, true, true]
        .into_iter()
        .map(|repeatable| tokio::spawn(poll(stage.database.uri.clone(), repeatable, stop.clone())))
        .collect();

    let mut before = first;
    for round in 1..=3 {
        stage.patch("user-view", serde_json::json!({"spec": {"replay": {"id": format!("replay-{round}")}}})).await;
        let now = live(&stage.ready("user-view").await);
        assert_ne!(now, before);
        before = now;
        stage
            .wait("user-view", "plain again", |view| {
                let rollout = view.status.as_ref().and_then(|status| status.rollout.as_ref());
                rollout.is_some_and(|rollout| format!("{:?}", rollout.phase) == "Steady")
            })
            .await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut polls = 0;
    for reader in readers {
        polls += reader.await.expect("no reader fails");
    }
    worker.await.expect("the workers work");
    producer.await.expect("the producer produces");
    assert!(polls > 500, "{polls} polls are too few to notice anything");
    let shown = stage.text("SELECT shown FROM millrace.view").await;
    assert_eq!(shown, Some(format!("plain:{before}")));
}
