//! What goes wrong outside says so in one reason and one sentence, and heals by itself where it can.

use crate::stage::{NAMESPACE, Stage, is, live, users_view};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use millrace_crds::ConditionType;
use millrace_operator::world::connections::{Own, OwnSecret};
use millrace_test_support::OwnedDatabase;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn every_trouble_has_its_reason_and_those_that_can_heal_do() {
    let stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    a_missing_topic_heals_when_it_is_made(&stage, &format!("late-{topic}")).await;
    a_foreign_relation_is_left_alone(&stage, &topic).await;
    a_taken_target_is_refused(&stage, &topic).await;
    a_schema_of_another_namespace_is_not_allowed(&stage, &topic).await;
    a_secret_is_missing_then_wrong_then_right(&stage, &topic).await;
    an_unreachable_kafka_is_named(&stage, &topic).await;
    a_topic_made_again_stops_the_view_until_a_replay(&stage, &format!("again-{topic}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_password_of_the_operator_is_used_at_once() {
    let mut stage = Stage::set().await;
    stage.stop_operator().await;
    let superuser = PgPool::connect(&stage.database.superuser_uri).await.expect("Postgres answers");
    let secret = OwnSecret { namespace: NAMESPACE.into(), name: "operators".into(), ca: None, bootstrap_servers: None };
    write_own_secret(&stage, &stage.database.password).await;
    stage.start_operator_with(Duration::from_secs(2), Own::Secret(secret));
    stage.apply(users_view("rotated", &format!("rotated-{}", stage.database.name))).await;
    stage.ready("rotated").await;

    // Another password for the role, and nobody stays logged in with the old one.
    let OwnedDatabase { role, name, .. } = &stage.database;
    for sql in [
        format!("ALTER ROLE {role} PASSWORD '새 비밀번호'"),
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'millrace-operator' AND datname = '{name}'"
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&superuser).await.expect("a superuser may");
    }
    stage.reason("rotated", ConditionType::SinkReady, "PostgresAuthenticationFailed").await;
    let view = stage.get("rotated").await;
    assert!(is(&view, ConditionType::Available, "Unknown"), "what cannot be asked is unknown, not absent");
    write_own_secret(&stage, "새 비밀번호").await;
    stage.ready("rotated").await;
}

async fn write_own_secret(stage: &Stage, password: &str) {
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let OwnedDatabase { name, role, port, .. } = &stage.database;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "operators"},
        "stringData": {"host": "127.0.0.1", "port": port.to_string(), "dbname": name, "username": role, "password": password},
    });
    let params = PatchParams::apply("person").force();
    secrets.patch("operators", &params, &Patch::Apply(secret)).await.expect("the Secret is taken");
}

async fn a_missing_topic_heals_when_it_is_made(stage: &Stage, topic: &str) {
    let mut view = users_view("late", topic);
    view["spec"]["sources"][0].as_object_mut().expect("a source").remove("ensureTopic");
    stage.apply(view).await;
    let said = stage.reason("late", ConditionType::SourcesReady, "TopicMissing").await;
    assert!(said.contains(topic) && said.contains("ensureTopic"), "{said}");
    stage.kafka.create_topic(topic, 2, &[]).await;
    stage.ready("late").await;
}

async fn a_foreign_relation_is_left_alone(stage: &Stage, topic: &str) {
    sqlx::raw_sql(
        "CREATE SCHEMA IF NOT EXISTS shop; CREATE TABLE shop.mine (id int); INSERT INTO shop.mine VALUES (7)",
    )
    .execute(&stage.pool)
    .await
    .expect("a person makes a table");
    stage.apply(users_view("mine", topic)).await;
    let said = stage.reason("mine", ConditionType::SinkReady, "TargetExists").await;
    assert!(said.contains("shop.mine is a table that Millrace did not make"), "{said}");
    assert_eq!(stage.text("SELECT id::text FROM shop.mine").await.as_deref(), Some("7"));
    sqlx::raw_sql("ALTER TABLE shop.mine RENAME TO mine_before").execute(&stage.pool).await.expect("it is renamed");
    stage.ready("mine").await;
}

async fn a_taken_target_is_refused(stage: &Stage, topic: &str) {
    let mut view = users_view("second", topic);
    view["spec"]["target"]["name"] = json!("mine");
    stage.apply(view).await;
    let said = stage.reason("second", ConditionType::SinkReady, "TargetTaken").await;
    assert!(said.contains("shop.mine is the target of the view shop/mine"), "{said}");
}

async fn a_schema_of_another_namespace_is_not_allowed(stage: &Stage, topic: &str) {
    let mut view = users_view("thief", topic);
    view["spec"]["target"]["schema"] = json!("bank");
    stage.apply(view).await;
    let said = stage.reason("thief", ConditionType::SinkReady, "NotAllowed").await;
    assert!(said.contains("the namespace shop may write the schema shop only"), "{said}");
}

async fn a_secret_is_missing_then_wrong_then_right(stage: &Stage, topic: &str) {
    let mut view = users_view("own", topic);
    view["spec"]["postgres"] = json!({"secretRef": {"name": "own-postgres"}});
    stage.apply(view).await;
    let said = stage.reason("own", ConditionType::SinkReady, "SecretMissing").await;
    assert!(said.contains("there is no Secret own-postgres in the namespace shop"), "{said}");

    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let apply = async |data: serde_json::Value| {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own-postgres"}, "stringData": data});
        let params = PatchParams::apply("person").force();
        secrets.patch("own-postgres", &params, &Patch::Apply(secret)).await.expect("the Secret is taken");
    };
    let database = &stage.database;
    let mut data = json!({
        "host": "127.0.0.1", "port": database.port.to_string(), "dbname": database.name, "username": database.role,
    });
    apply(data.clone()).await;
    stage.reason("own", ConditionType::SinkReady, "SecretMissing").await;
    data["password"] = json!("틀린 비밀번호");
    apply(data.clone()).await;
    let said = stage.reason("own", ConditionType::SinkReady, "PostgresAuthenticationFailed").await;
    assert!(said.contains("correct the user and the password"), "{said}");
    data["password"] = json!(database.password);
    apply(data).await;
    stage.ready("own").await;

    secrets.delete("own-postgres", &DeleteParams::default()).await.expect("the Secret is deleted");
    stage.reason("own", ConditionType::SinkReady, "SecretMissing").await;
    let view = stage.get("own").await;
    assert!(is(&view, ConditionType::Available, "Unknown"), "what cannot be asked is unknown, not absent");
}

async fn an_unreachable_kafka_is_named(stage: &Stage, topic: &str) {
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "no-kafka"},
        "stringData": {"bootstrap-servers": "127.0.0.1:1"},
    });
    let params = PatchParams::apply("person").force();
    secrets.patch("no-kafka", &params, &Patch::Apply(secret)).await.expect("the Secret is taken");
    let mut view = users_view("far", topic);
    view["spec"]["kafka"] = json!({"secretRef": {"name": "no-kafka"}});
    stage.apply(view).await;
    let said = stage.reason("far", ConditionType::SourcesReady, "KafkaUnreachable").await;
    assert!(said.contains("127.0.0.1:1"), "{said}");
}

async fn a_topic_made_again_stops_the_view_until_a_replay(stage: &Stage, topic: &str) {
    stage.apply(users_view("again", topic)).await;
    let first = live(&stage.ready("again").await);
    let admin = stage.kafka.admin();
    admin.delete_topics(&[topic], &Default::default()).await.expect("the topic is deleted");
    stage.reason("again", ConditionType::SourcesReady, "TopicMissing").await;
    // A name is free again a moment after its topic was deleted.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    stage.kafka.create_topic(topic, 3, &[("min.insync.replicas", "2")]).await;
    let said = stage.reason("again", ConditionType::SourcesReady, "TopicRecreated").await;
    assert!(said.contains("ask for a replay"), "{said}");
    assert!(is(&stage.get("again").await, ConditionType::Available, "True"), "readers keep what there is");

    stage.patch("again", json!({"spec": {"replay": {"id": "from-the-new-one"}}})).await;
    assert_ne!(live(&stage.ready("again").await), first);
}
