//! A build that shares the machine with readers, on a real API server, Kafka and Postgres: how fast it may read.

use crate::stage::{NAMESPACE, PATIENCE, Stage, live, users_view};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use millrace_crds::{ConditionType, MaterializedView};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::json;
use std::time::{Duration, Instant};

const VIEW: &str = "user-view";

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_slowed_and_stands_still_for_readers() {
    let stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    let mut view = users_view(VIEW, &topic);
    view["spec"]["rollout"] = json!({"promotion": "Manual", "retainPrevious": "0s", "maxRecordsPerSecond": 2000});
    stage.apply(view).await;
    let first = live(&stage.ready(VIEW).await);
    paces(&stage, "none").await;

    stage.patch(VIEW, json!({"spec": {"replay": {"id": "beside-readers"}}})).await;
    stage.reason(VIEW, ConditionType::Ready, "AwaitingPromotion").await;
    paces(&stage, "none 2000").await;
    stage.patch(VIEW, json!({"spec": {"rollout": {"maxRecordsPerSecond": 500}}})).await;
    paces(&stage, "none 500").await;

    readers_fall_behind(&stage, &topic, &first).await;
    stage.patch(VIEW, json!({"spec": {"rollout": {"maxLiveFreshness": "5s"}}})).await;
    paces(&stage, "none 0").await;
    let waits = |view: &MaterializedView| waiting_on(view).is_some_and(|what| what.contains("stands still"));
    stage.wait(VIEW, "waiting for the live revision", waits).await;

    // The live revision has read everything.
    read(&stage, &first).await;
    paces(&stage, "none 500").await;
    let next = stage.get(VIEW).await.status.expect("a status").rollout.expect("a rollout").revision;
    read(&stage, &next).await;
    stage.patch(VIEW, json!({"metadata": {"annotations": {"millrace.dev/promote": next}}})).await;
    assert_eq!(live(&stage.ready(VIEW).await), next);
    paces(&stage, "none").await;
}

/// Waits until the live revision, and then the one that is built, have these paces.
async fn paces(stage: &Stage, wanted: &str) {
    let paces = "SELECT string_agg(coalesce(r.pace::text, 'none'), ' ' ORDER BY r.revision <> v.live_revision)
                 FROM millrace.revision r JOIN millrace.view v ON v.name = r.view";
    let begun = Instant::now();
    loop {
        let found = stage.text(paces).await;
        if found.as_deref() == Some(wanted) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "expected {wanted}, found {found:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Records come, and the live revision, whose workers run, has read one of them so far, which was made a minute ago.
async fn readers_fall_behind(stage: &Stage, topic: &str, live: &str) {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", stage.kafka.bootstrap_servers()).create().expect("a producer");
    for partition in 0..3 {
        let record = FutureRecord::to(topic).partition(partition).key("7").payload(r#"{"user":{"id":7,"name":"x"}}"#);
        producer.send(record, Duration::from_secs(10)).await.expect("the record is written");
    }
    sqlx::query(
        "UPDATE millrace.progress SET event_time = now() - interval '1 minute',
                next_offset = CASE WHEN partition = 0 THEN 1 ELSE next_offset END
         WHERE revision = $1",
    )
    .bind(live)
    .execute(&stage.pool)
    .await
    .expect("the catalog answers");
    let deployments: Api<Deployment> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let running = json!({"status": {"replicas": 3, "readyReplicas": 3}});
    deployments
        .patch_status(&format!("{VIEW}-{live}"), &PatchParams::default(), &Patch::Merge(running))
        .await
        .expect("the API server takes the status");
}

/// The revision has read every record.
async fn read(stage: &Stage, revision: &str) {
    sqlx::query("UPDATE millrace.progress SET next_offset = 1 WHERE revision = $1")
        .bind(revision)
        .execute(&stage.pool)
        .await
        .expect("the catalog answers");
}

fn waiting_on(view: &MaterializedView) -> Option<&str> {
    view.status.as_ref()?.rollout.as_ref()?.waiting_on.as_deref()
}
