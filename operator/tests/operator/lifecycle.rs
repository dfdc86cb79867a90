//! A view's life on a real API server, Kafka and Postgres: made, replayed, changed, grown, suspended, deleted, adopted.

use crate::stage::{Stage, condition, current, is, live, users_view};
use k8s_openapi::ByteString;
use kube::api::{Patch, PatchParams};
use millrace_crds::ConditionType;
use serde_json::json;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_view_lives_from_its_first_apply_to_its_adoption() {
    let mut stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    stage.apply(users_view("user-view", &topic)).await;

    // An empty topic is read at once: the first revision goes live without a worker.
    let first = live(&stage.ready("user-view").await);
    assert_eq!(stage.text("SELECT count(*)::text FROM shop.user_view").await.as_deref(), Some("0"));
    assert_eq!(stage.text("SELECT count(*)::text FROM millrace.progress").await.as_deref(), Some("3"));
    let deployment = stage.deployment(&format!("user-view-{first}")).await.expect("the workers are asked for");
    assert_eq!(deployment.spec.expect("a spec").replicas, Some(3), "one worker for each partition");

    workers_log_in_with_their_secret(&stage, &first).await;
    a_replay_builds_another_revision(&stage, &first).await;
    let second = live(&stage.ready("user-view").await);
    a_new_column_is_appended_and_a_lost_one_is_held(&stage).await;
    let third = live(&stage.get("user-view").await);
    assert_ne!(second, third);
    a_grown_topic_is_noticed(&stage, &topic).await;
    suspended_workers_are_none(&stage, &third).await;
    a_bad_query_says_where(&stage).await;
    a_deleted_view_is_retained_and_adopted(&mut stage, &third).await;
}

async fn workers_log_in_with_their_secret(stage: &Stage, revision: &str) {
    let secret = stage.secret("millrace-user-view").await.expect("the workers' Secret").data.expect("data");
    let text = |key: &str| {
        let ByteString(bytes) = &secret[key];
        String::from_utf8(bytes.clone()).expect("text")
    };
    let options = PgConnectOptions::new_without_pgpass()
        .host(&text("host"))
        .port(text("port").parse().expect("a port"))
        .database(&text("dbname"))
        .username(&text("username"))
        .password(&text("password"));
    let mut worker = PgConnection::connect_with(&options).await.expect("the workers' role logs in");
    let seen: String =
        sqlx::query_scalar("SELECT revision FROM millrace.revision").fetch_one(&mut worker).await.expect("its plan");
    assert_eq!(seen, revision);
    let moved = sqlx::query("UPDATE millrace.progress SET next_offset = next_offset").execute(&mut worker).await;
    assert_eq!(moved.expect("its positions").rows_affected(), 3);
    let refused = sqlx::query("UPDATE millrace.view SET live_revision = 'mine'").execute(&mut worker).await;
    assert!(refused.expect_err("a worker swaps nothing").to_string().contains("permission denied"));
}

async fn a_replay_builds_another_revision(stage: &Stage, first: &str) {
    stage.patch("user-view", json!({"spec": {"replay": {"id": "after-bugfix"}}})).await;
    let view = stage.ready("user-view").await;
    assert_ne!(live(&view), first);
    let replays = view.status.expect("a status").replays;
    assert_eq!(replays.iter().map(|replay| replay.id.as_str()).collect::<Vec<_>>(), ["after-bugfix"]);
    // The same id once more, after it was taken out, does nothing.
    let second = live(&stage.get("user-view").await);
    stage.patch("user-view", json!({"spec": {"replay": null}})).await;
    stage.ready("user-view").await;
    stage.patch("user-view", json!({"spec": {"replay": {"id": "after-bugfix"}}})).await;
    assert_eq!(live(&stage.ready("user-view").await), second);
    // The revision before is dropped, and with it its schema.
    stage.wait("user-view", "steady", |view| phase(view) == "Steady").await;
    wait_for(stage, "SELECT count(*)::text FROM millrace.revision", "1").await;
    wait_for(stage, "SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'mr\\_%'", "1").await;
}

fn phase(view: &millrace_crds::MaterializedView) -> String {
    let rollout = view.status.as_ref().and_then(|status| status.rollout.as_ref());
    rollout.map(|rollout| format!("{:?}", rollout.phase)).unwrap_or_default()
}

async fn wait_for(stage: &Stage, sql: &'static str, wanted: &str) {
    for _ in 0..100 {
        if stage.text(sql).await.as_deref() == Some(wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{sql} does not become {wanted}");
}

async fn a_new_column_is_appended_and_a_lost_one_is_held(stage: &Stage) {
    let query = "SELECT id AS number, id, name FROM users";
    stage.patch("user-view", json!({"spec": {"query": query}})).await;
    stage.ready("user-view").await;
    let columns = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
                   WHERE attrelid = 'shop.user_view'::regclass";
    assert_eq!(stage.text(columns).await.as_deref(), Some("id,name,number"));

    stage.patch("user-view", json!({"spec": {"query": "SELECT id FROM users"}})).await;
    let said = stage.reason("user-view", ConditionType::RolloutSucceeded, "BreakingChange").await;
    assert!(said.contains("name text is gone, number bigint is gone"), "{said}");
    let held = stage.get("user-view").await;
    assert!(is(&held, ConditionType::Available, "True"));
    assert!(is(&held, ConditionType::Ready, "False"));
    stage.patch("user-view", json!({"spec": {"query": query}})).await;
    stage.ready("user-view").await;
}

async fn a_grown_topic_is_noticed(stage: &Stage, topic: &str) {
    let mut view = users_view("user-view", topic);
    view["spec"]["sources"][0]["ensureTopic"]["partitions"] = json!(5);
    let sources = view["spec"]["sources"].clone();
    stage.patch("user-view", json!({"spec": {"sources": sources}})).await;
    wait_for(stage, "SELECT count(*) || '/' || count(*) FILTER (WHERE shared) FROM millrace.progress", "5/5").await;
    let grown = live(&stage.ready("user-view").await);
    workers_are(stage, &format!("user-view-{grown}"), 5).await;
}

async fn workers_are(stage: &Stage, deployment: &str, wanted: i32) {
    let mut found = None;
    for _ in 0..100 {
        found = stage.deployment(deployment).await.and_then(|deployment| deployment.spec?.replicas);
        if found == Some(wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{deployment} has {found:?} replicas, expected {wanted}");
}

async fn suspended_workers_are_none(stage: &Stage, revision: &str) {
    stage.patch("user-view", json!({"spec": {"suspend": true}})).await;
    stage.reason("user-view", ConditionType::Ready, "Suspended").await;
    workers_are(stage, &format!("user-view-{revision}"), 0).await;
    stage.patch("user-view", json!({"spec": {"suspend": false}})).await;
    stage.ready("user-view").await;
}

async fn a_bad_query_says_where(stage: &Stage) {
    let before = stage.get("user-view").await.spec.query;
    stage.patch("user-view", json!({"spec": {"query": "SELECT id,\n  nmae FROM users"}})).await;
    let said = stage.reason("user-view", ConditionType::QueryValid, "InvalidQuery").await;
    assert!(said.contains("line 2, column 3") && said.contains("did you mean name?"), "{said}");
    let view = stage.get("user-view").await;
    assert!(is(&view, ConditionType::Available, "True"), "readers are served as before");
    assert!(condition(&view, ConditionType::Stalled).is_some(), "nothing changes until a person acts");
    stage.patch("user-view", json!({"spec": {"query": before}})).await;
    stage.ready("user-view").await;
}

async fn a_deleted_view_is_retained_and_adopted(stage: &mut Stage, revision: &str) {
    let kept = stage.get("user-view").await;
    // Somebody who applied the finalizer too, as tools do that restore a whole resource, does not hold it.
    let finalizers = kept.metadata.finalizers.clone().expect("the operator's finalizer");
    let whole = json!({
        "apiVersion": "millrace.dev/v1alpha1", "kind": "MaterializedView",
        "metadata": {"name": "user-view", "namespace": crate::stage::NAMESPACE, "finalizers": finalizers},
    });
    let somebody = PatchParams::apply("somebody").force();
    stage.views.patch("user-view", &somebody, &Patch::Apply(whole)).await.expect("the finalizer is applied");
    stage.delete("user-view").await;
    for _ in 0..100 {
        stage.collect_deployments().await;
        if stage.views.get_opt("user-view").await.expect("the API server answers").is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(stage.views.get_opt("user-view").await.expect("the API server answers").is_none(), "deletion sticks");
    assert_eq!(stage.text("SELECT count(*)::text FROM shop.user_view").await.as_deref(), Some("0"), "the table stays");
    assert_eq!(stage.text("SELECT uid FROM millrace.view").await, None);

    let spec = serde_json::to_value(&kept.spec).expect("a spec");
    let again = json!({
        "apiVersion": "millrace.dev/v1alpha1", "kind": "MaterializedView",
        "metadata": {"name": "user-view", "namespace": crate::stage::NAMESPACE}, "spec": spec,
    });
    stage.apply(again).await;
    assert_eq!(live(&stage.ready("user-view").await), revision, "the same revision goes on");

    stage.patch("user-view", json!({"spec": {"deletionPolicy": "Delete"}})).await;
    stage.wait("user-view", "seen", current).await;
    stage.delete("user-view").await;
    for _ in 0..100 {
        stage.collect_deployments().await;
        if stage.views.get_opt("user-view").await.expect("the API server answers").is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for gone in [
        "SELECT count(*)::text FROM millrace.view",
        "SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'mr\\_%'",
        "SELECT count(*)::text FROM pg_class WHERE relname = 'user_view'",
        "SELECT count(*)::text FROM pg_roles r JOIN pg_shdepend d ON d.refobjid = r.oid
         WHERE r.rolname LIKE 'mr\\_%' AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
    ] {
        assert_eq!(stage.text(gone).await.as_deref(), Some("0"), "{gone}");
    }
    stage.stop_operator().await;
}
