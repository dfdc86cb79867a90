//! Questions on a real API server, Kafka and Postgres: each is answered with what is there, and nothing is done.

use crate::stage::{NAMESPACE, PATIENCE, Stage, live, users_view};
use kube::{Api, api::PostParams};
use millrace_crds::{RolloutPlan, Verdict};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 3;
const RECORDS: i64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_with_the_right_numbers_and_changes_nothing() {
    let stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    stage.kafka.create_topic(&topic, PARTITIONS, &[("min.insync.replicas", "2")]).await;
    stage.produce(&topic, PARTITIONS, RECORDS, |record| 1_700_000_000_000 + record).await;
    let manifest = users_view("user-view", &topic);

    // Before there is anything, not even a catalog.
    let first = ask(&stage, "first", &manifest).await;
    assert_eq!(first.verdict(), Some(Verdict::Rollout));
    assert_eq!(records(&first), Some(30));
    assert!(page(&first).contains("readers will see the columns id bigint, name text"), "{}", page(&first));
    assert_eq!(stage.text("SELECT to_regclass('millrace.catalog')::text").await, None);
    assert!(stage.views.get_opt("user-view").await.expect("the API server answers").is_none());

    let worker = stage.read_up_to(RECORDS);
    stage.apply(manifest.clone()).await;
    let before = live(&stage.ready("user-view").await);
    stage.wait("user-view", "plain", |view| phase(view) == "Steady").await;
    // What the stand-in for workers does not count.
    for counted in [
        "UPDATE millrace.progress SET bytes = 1000",
        "UPDATE millrace.revision SET built_records = 20000, built_milliseconds = 2000000",
    ] {
        sqlx::query(counted).execute(&stage.pool).await.expect("the operator's role may");
    }
    let (rows, deployments) = (catalog(&stage).await, stage.deployments().await);

    let same = ask(&stage, "same", &manifest).await;
    assert_eq!(same.verdict(), Some(Verdict::NoRollout), "{}", page(&same));
    assert_eq!(same.status.as_ref().and_then(|status| status.forecast.as_ref()), None);

    let mut replay = manifest.clone();
    replay["spec"]["replay"] = json!({"id": "again"});
    let again = ask(&stage, "again", &replay).await;
    let forecast = again.status.as_ref().and_then(|status| status.forecast.clone()).expect("a forecast");
    assert_eq!(again.verdict(), Some(Verdict::Rollout), "{}", page(&again));
    assert_eq!((forecast.records, forecast.bytes, forecast.seconds), (Some(30), Some(3_000), Some(3)));
    assert_eq!((forecast.workers, forecast.partitions.len()), (3, 3));
    assert!(forecast.bytes_in_postgres.is_some_and(|bytes| bytes > 0), "{forecast:?}");

    let mut without = manifest.clone();
    without["spec"]["query"] = json!("SELECT id FROM users");
    let without = ask(&stage, "without", &without).await;
    assert_eq!(without.verdict(), Some(Verdict::Refused));
    assert!(page(&without).contains("BreakingChange: readers of shop.user_view would lose columns"));

    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((catalog(&stage).await, stage.deployments().await), (rows, deployments), "a question changed something");
    let view = stage.ready("user-view").await;
    assert_eq!(live(&view), before);
    assert_eq!(view.spec.replay, None);
    worker.abort();
}

/// Asks what would become of a manifest, and waits for the answer.
async fn ask(stage: &Stage, name: &str, manifest: &Value) -> RolloutPlan {
    let questions: Api<RolloutPlan> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let question = json!({
        "apiVersion": "millrace.dev/v1alpha1", "kind": "RolloutPlan", "metadata": {"name": name},
        "spec": {"view": manifest["metadata"]["name"], "spec": manifest["spec"]},
    });
    let question = serde_json::from_value(question).expect("a question");
    questions.create(&PostParams::default(), &question).await.expect("the API server takes the question");
    let begun = Instant::now();
    loop {
        let question = questions.get(name).await.expect("the question is there");
        if question.verdict().is_some() {
            return question;
        }
        assert!(begun.elapsed() < PATIENCE, "{name} is not answered: {:?}", question.status);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn page(question: &RolloutPlan) -> &str {
    question.status.as_ref().and_then(|status| status.text.as_deref()).unwrap_or_default()
}

fn records(question: &RolloutPlan) -> Option<i64> {
    question.status.as_ref()?.forecast.as_ref()?.records
}

fn phase(view: &millrace_crds::MaterializedView) -> String {
    let rollout = view.status.as_ref().and_then(|status| status.rollout.as_ref());
    rollout.map(|rollout| format!("{:?}", rollout.phase)).unwrap_or_default()
}

/// What a rollout would change in the catalog.
async fn catalog(stage: &Stage) -> Option<String> {
    let rows = "SELECT (SELECT string_agg(v::text, ',') FROM millrace.view v)
                       || (SELECT string_agg(r.revision || r.state, ',' ORDER BY revision) FROM millrace.revision r)
                       || (SELECT count(*) FROM millrace.replay)";
    stage.text(rows).await
}
