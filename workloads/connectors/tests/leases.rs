//! Leases on a real Postgres: who holds a task, until when, and who may not wait for whom.

mod common;

use common::{Worker, claim, claim_all, commit};
use millrace_test_support::{StoredRevision, TemporaryPostgres, plans};
use sqlx::{Connection, Executor};
use std::time::{Duration, Instant};

async fn stored() -> StoredRevision {
    let database = TemporaryPostgres::owned_database().await;
    StoredRevision::create(database, plans::append("users"), &common::topic(3)).await
}

async fn expire(stored: &StoredRevision) {
    let mut owner = stored.owner().await;
    owner.execute("UPDATE millrace.progress SET lease_until = '-infinity'").await.expect("expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_held_by_one_worker_until_its_lease_ends() {
    let stored = stored().await;
    let (mut one, mut two) = (Worker::start(&stored, "a").await, Worker::start(&stored, "b").await);
    let held = claim(&mut one, &[0, 1]).await;
    assert_eq!(held.keys().copied().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(claim_all(&mut two, 3).await.keys().copied().collect::<Vec<_>>(), [2]);
    expire(&stored).await;
    let taken = claim_all(&mut two, 3).await;
    assert_eq!(taken.len(), 3);
    assert_eq!(taken[&0].owner, held[&0].owner + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_started_again_takes_its_tasks_back_at_once() {
    let stored = stored().await;
    let mut before = Worker::start(&stored, "user-view-0").await;
    let held = claim_all(&mut before, 3).await;
    let mut after = Worker::start(&stored, "user-view-0").await;
    let again = claim_all(&mut after, 3).await;
    assert_eq!(again.len(), 3);
    assert!(again.iter().all(|(partition, task)| task.owner == held[partition].owner + 1));
    let kept = before.store.renew(&[(0, held[&0].owner, None)]).await.expect("answered");
    assert!(kept.is_empty(), "the former process renews nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_by_its_owner_and_by_nobody_else() {
    let stored = stored().await;
    let (mut one, mut two) = (Worker::start(&stored, "a").await, Worker::start(&stored, "b").await);
    let held = claim_all(&mut one, 3).await;
    expire(&stored).await;
    assert_eq!(one.store.renew(&[(0, held[&0].owner, Some(12))]).await.expect("answered"), [0]);
    assert!(two.store.renew(&[(1, held[&1].owner, None)]).await.expect("answered").is_empty());
    assert_eq!(claim_all(&mut two, 3).await.keys().copied().collect::<Vec<_>>(), [1, 2]);
    let survey = two.store.survey().await.expect("answered");
    assert_eq!(survey.live_workers, 2);
    let holders: Vec<Option<&str>> = survey.tasks.iter().map(|task| task.holder.as_deref()).collect();
    assert_eq!(holders, [Some("a"), Some("b"), Some("b")]);
    let mut owner = stored.owner().await;
    let lag: Option<i64> = sqlx::query_scalar("SELECT lag_records FROM millrace.progress WHERE partition = 0")
        .fetch_one(&mut owner)
        .await
        .expect("read");
    assert_eq!(lag, Some(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_was_given_back_is_free_at_once() {
    let stored = stored().await;
    let (mut one, mut two) = (Worker::start(&stored, "a").await, Worker::start(&stored, "b").await);
    let held = claim_all(&mut one, 3).await;
    one.store.give_back(&[(2, held[&2].owner), (1, held[&1].owner - 1)]).await.expect("answered");
    assert_eq!(claim_all(&mut two, 3).await.keys().copied().collect::<Vec<_>>(), [2]);
    one.store.renew(&[]).await.expect("answered");
    assert_eq!(two.store.survey().await.expect("answered").live_workers, 1);
    let all: Vec<(i32, i64)> = held.iter().map(|(&partition, task)| (partition, task.owner)).collect();
    one.store.leave(&all).await.expect("left");
    assert_eq!(two.store.survey().await.expect("answered").live_workers, 0);
    assert_eq!(claim_all(&mut two, 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_does_not_wait_for_a_stopped_workers_open_transaction() {
    let stored = stored().await;
    let mut stopped = stored.owner().await;
    let mut transaction = stopped.begin().await.expect("begun");
    transaction
        .execute("SELECT FROM millrace.progress WHERE partition = 1 FOR UPDATE")
        .await
        .expect("the row is locked");
    let mut worker = Worker::start(&stored, "b").await;
    let begun = Instant::now();
    let claimed = claim_all(&mut worker, 3).await;
    assert_eq!(claimed.keys().copied().collect::<Vec<_>>(), [0, 2]);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    transaction.rollback().await.expect("rolled back");
    assert_eq!(claim(&mut worker, &[1]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn marking_keys_as_shared_reaches_every_epoch_after_it() {
    let stored = stored().await;
    let (mut one, mut two) = (Worker::start(&stored, "a").await, Worker::start(&stored, "b").await);
    let mut held = claim(&mut one, &[0]).await;
    two.store.mark_shared().await.expect("marked");
    assert_eq!(claim(&mut two, &[1]).await.len(), 1, "a mark does not hold a task");
    commit(&mut one, &mut held, &common::records(&[(0, "", Some("{}"))])).await.expect("committed");
    let mut owner = stored.owner().await;
    let shared: i64 = sqlx::query_scalar("SELECT count(*) FROM millrace.progress WHERE shared")
        .fetch_one(&mut owner)
        .await
        .expect("read");
    assert_eq!(shared, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_is_written_by_the_owner_and_cleared_by_it() {
    let stored = stored().await;
    let mut worker = Worker::start(&stored, "a").await;
    let held = claim_all(&mut worker, 3).await;
    worker.store.set_problem((0, held[&0].owner), Some("DataLost: 3 offsets are gone")).await.expect("written");
    worker.store.set_problem((1, held[&1].owner - 1), Some("DataLost: not mine")).await.expect("answered");
    let problems = |survey: millrace_connectors::postgres::Survey| -> Vec<Option<String>> {
        survey.tasks.into_iter().map(|task| task.problem).collect()
    };
    let found = problems(worker.store.survey().await.expect("answered"));
    assert_eq!(found, [Some("DataLost: 3 offsets are gone".into()), None, None]);
    worker.store.set_problem((0, held[&0].owner), None).await.expect("cleared");
    assert_eq!(problems(worker.store.survey().await.expect("answered")), [None, None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_deleted_keys_go_after_seven_days_of_the_logs_time() {
    let database = TemporaryPostgres::owned_database().await;
    let stored = StoredRevision::create(database, plans::upsert("users"), &common::topic(2)).await;
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, 2).await;
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let day = 24 * 3_600 * 1_000;
    let mut records = common::records(&[(0, "7", None), (0, "8", None), (0, "9", Some(r#"{"user":{"id":9}}"#))]);
    records[0].timestamp = now - 8 * day;
    records[1].timestamp = now - 6 * day;
    records[2].timestamp = now - 30 * day;
    commit(&mut worker, &mut held, &records).await.expect("committed");
    assert_eq!(worker.store.prune().await.expect("answered"), 0, "how far partition 1 is behind is not known");
    let lags = |lag| -> Vec<(i32, i64, Option<i64>)> {
        held.iter().map(|(&partition, task)| (partition, task.owner, Some(lag))).collect()
    };
    worker.store.renew(&lags(5)).await.expect("renewed");
    assert_eq!(worker.store.prune().await.expect("answered"), 0, "partition 1 has not read so far yet");
    worker.store.renew(&lags(0)).await.expect("renewed");
    worker.store.set_problem((1, held[&1].owner), Some("ErrorsStopped: ")).await.expect("written");
    assert_eq!(worker.store.prune().await.expect("answered"), 0, "how far partition 1 is behind is no longer known");
    worker.store.set_problem((1, held[&1].owner), None).await.expect("cleared");
    assert_eq!(worker.store.prune().await.expect("answered"), 1, "only the older delete goes");
    let mut owner = stored.owner().await;
    let sql = format!("SELECT id FROM \"{}\".rows ORDER BY id", stored.schema);
    let left: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut owner).await.expect("read");
    assert_eq!(left, [8, 9]);
}
