//! Steady state costs nothing: a hundred views at rest, looked at again and again, and nothing is written.

use crate::stage::{Stage, users_view};
use std::time::Duration;

const VIEWS: usize = 100;
const RESYNC: Duration = Duration::from_secs(5);
const RESYNCS: u32 = 24;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_views_at_rest_are_written_nowhere() {
    let mut stage = Stage::set().await;
    stage.stop_operator().await;
    stage.start_operator(RESYNC);
    let topic = format!("users-{}", stage.database.name);
    for number in 0..VIEWS {
        stage.apply(users_view(&format!("view-{number}"), &topic)).await;
    }
    for number in 0..VIEWS {
        stage.ready(&format!("view-{number}")).await;
    }
    // What was begun is ended: the last status, the last event.
    tokio::time::sleep(RESYNC * 2).await;
    let before = stage.server.writes().len();
    let transactions = written(&stage).await;
    let begun = std::time::Instant::now();
    tokio::time::sleep(RESYNC * RESYNCS).await;
    let writes = stage.server.writes();
    let ours: Vec<_> = writes[before..].iter().filter(|write| write.user == "test").collect();
    assert!(ours.is_empty(), "in {:?} these were written: {ours:#?}", begun.elapsed());
    assert_eq!(written(&stage).await, transactions, "rows of the catalog were written");
}

/// Rows that were inserted, updated or deleted in the catalog so far.
async fn written(stage: &Stage) -> Option<String> {
    stage
        .text(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::text FROM pg_stat_user_tables
             WHERE schemaname = 'millrace'",
        )
        .await
}
