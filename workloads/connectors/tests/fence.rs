//! The first statement of an epoch: what it refuses is never the fault of a row.

mod common;

use common::{Worker, claim_all, commit};
use millrace_connectors::postgres::StoreError;
use millrace_test_support::{StoredRevision, TemporaryPostgres, plans};

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_postgres_does_not_have_is_no_rows_fault() {
    let database = TemporaryPostgres::owned_database().await;
    let stored = StoredRevision::create(database, plans::upsert("users"), &common::topic(1)).await;
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, 1).await;
    let mut records = common::records(&[(0, "7", Some(r#"{"user":{"id":7,"name":"홍길동"}}"#))]);
    records[0].timestamp = i64::MAX;
    let refused = commit(&mut worker, &mut held, &records).await;
    assert!(matches!(refused, Err(StoreError::Postgres(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_goes_up_to_the_offset_that_its_partition_is_held_at_and_not_past_it() {
    let database = TemporaryPostgres::owned_database().await;
    let stored = StoredRevision::create(database, plans::append("users"), &common::topic(2)).await;
    let mut owner = stored.owner().await;
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, 2).await;
    let records =
        common::records(&[(0, "", Some("{}")), (0, "", Some("{}")), (0, "", Some("{}")), (1, "", Some("{}"))]);
    let hold = "UPDATE millrace.progress SET hold_offset = 2, hold_until = now() + interval '1 minute'";
    sqlx::raw_sql(hold).execute(&mut owner).await.expect("held");
    let refused = commit(&mut worker, &mut held, &records).await;
    assert!(matches!(&refused, Err(StoreError::Held(holds)) if *holds == [(0, 2)].into()), "{refused:?}");
    assert!(stored.rows().await.is_empty(), "nothing of it is committed, in no partition");
    commit(&mut worker, &mut held, &records[..2]).await.expect("up to the hold");
    commit(&mut worker, &mut held, &records[3..]).await.expect("before the hold");
    let refused = commit(&mut worker, &mut held, &records[2..3]).await;
    assert!(matches!(refused, Err(StoreError::Held(_))), "{refused:?}");

    // Whoever claims or looks is told, for as long as it lasts.
    let survey = worker.store.survey().await.expect("answered");
    assert_eq!(survey.tasks.iter().map(|task| task.hold).collect::<Vec<_>>(), [Some(2), Some(2)]);
    let claimed = worker.store.claim(&[0, 1]).await.expect("answered");
    assert_eq!(claimed.iter().map(|task| task.hold).collect::<Vec<_>>(), [Some(2), Some(2)]);
    sqlx::raw_sql("UPDATE millrace.progress SET hold_until = now()").execute(&mut owner).await.expect("released");
    let survey = worker.store.survey().await.expect("answered");
    assert_eq!(survey.tasks.iter().map(|task| task.hold).collect::<Vec<_>>(), [None, None]);
    let mut held = claim_all(&mut worker, 2).await;
    commit(&mut worker, &mut held, &records[2..3]).await.expect("nothing holds it any more");
    assert_eq!(stored.rows().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_changes_neither_what_its_tasks_are_nor_their_holds() {
    let database = TemporaryPostgres::owned_database().await;
    let stored = StoredRevision::create(database, plans::append("users"), &common::topic(1)).await;
    let mut role = millrace_connectors::postgres::connect(&stored.connection(), "test").await.expect("connects");
    let fixed = ["hold_offset", "hold_until", "task", "topic_id", "kafka_cluster_id", "start_offset", "writer"];
    for column in fixed {
        let sql = format!("UPDATE millrace.progress SET {column} = {column}");
        let refused = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut role).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("permission denied")), "{column}");
    }
    let position = sqlx::query("UPDATE millrace.progress SET next_offset = next_offset").execute(&mut role).await;
    assert_eq!(position.expect("a position is the worker's").rows_affected(), 1);
}
