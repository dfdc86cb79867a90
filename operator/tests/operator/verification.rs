//! Is it the same? On a real API server, Kafka and Postgres: a live result is verified, and a replay that gives other rows
//! does not go live.

use crate::stage::{PATIENCE, Stage, is, live, users_view};
use millrace_crds::{ConditionType, MaterializedView, VerificationResult, VerificationStatus};
use serde_json::json;
use std::time::{Duration, Instant};

const VIEW: &str = "user-view";

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_verified_and_a_replay_with_other_rows_does_not_go_live() {
    let stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    stage.apply(users_view(VIEW, &topic)).await;
    let first = live(&stage.ready(VIEW).await);
    let same = verified(&stage, "before").await;
    assert_eq!(same.result, Some(VerificationResult::Equal), "{same:?}");

    // A row that no record has made.
    let schema = stage.text("SELECT schema_name FROM millrace.revision ORDER BY created_at LIMIT 1").await;
    let rows = format!("\"{}\".rows", schema.expect("the live revision has one"));
    let forged = format!("INSERT INTO {rows} VALUES (7, '홍길동', 0, 0, 0, false)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(forged)).execute(&stage.pool).await.expect("somebody writes into the result");
    let other = verified(&stage, "after").await;
    let found = other.comparison.clone().expect("what was found");
    assert_eq!((other.result, found.compared_rows), (Some(VerificationResult::Different), 1), "{other:?}");
    assert_eq!((found.only_in_live, found.only_in_next, found.different), (1, 0, 0));
    assert_eq!(found.sample[0].live.as_deref(), Some(r#"{"id":7,"name":"홍길동"}"#));
    assert!(other.message.expect("a sentence").contains("gives other rows"));
    nothing_is_left_of_it(&stage, &first).await;

    let gate = json!({"spec": {"replay": {"id": "again"}, "rollout": {"gates": {"comparison": "RequireEqual"}}}});
    stage.patch(VIEW, gate).await;
    let said = stage.reason(VIEW, ConditionType::Ready, "GateFailed").await;
    assert!(said.contains("1 are only in") && said.contains("millrace.dev/retry"), "{said}");
    let failed = stage.get(VIEW).await;
    assert_eq!(live(&failed), first);
    assert!(is(&failed, ConditionType::Available, "True"));
    let shown = failed.status.and_then(|status| status.rollout?.comparison).expect("what was found");
    assert_eq!(shown.only_in_live, 1);

    // Mended, it is compared once more and goes live.
    let mended = format!("DELETE FROM {rows}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(mended)).execute(&stage.pool).await.expect("the row is taken out");
    annotate(&stage, "retry", "mended").await;
    assert_ne!(live(&stage.ready(VIEW).await), first);
}

/// Asks for a verification, and waits for what it comes to.
async fn verified(stage: &Stage, id: &str) -> VerificationStatus {
    annotate(stage, "verify", id).await;
    let of = |view: &MaterializedView| view.status.clone().and_then(|status| status.verification);
    let ended = |view: &MaterializedView| {
        of(view).is_some_and(|found| found.id.as_deref() == Some(id) && found.result.is_some())
    };
    of(&stage.wait(VIEW, "verified", ended).await).expect("it was there")
}

async fn nothing_is_left_of_it(stage: &Stage, first: &str) {
    let schemas = "SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'mr\\_%'";
    let begun = Instant::now();
    loop {
        stage.collect_deployments().await;
        let (left, revisions) = (stage.deployments().await, stage.text(schemas).await);
        if revisions.as_deref() == Some("1") && left == [format!("{VIEW}-{first}")] {
            assert_eq!(live(&stage.get(VIEW).await), first);
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{left:?} are left, and the schemas of {revisions:?} revisions");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn annotate(stage: &Stage, verb: &str, value: &str) {
    let name = format!("millrace.dev/{verb}");
    stage.patch(VIEW, json!({"metadata": {"annotations": {name: value}}})).await;
}
