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
