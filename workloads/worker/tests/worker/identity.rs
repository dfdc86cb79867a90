//! A position means something only for the topic and the cluster it was made with, and while the log holds it.

use crate::common::Scene;
use millrace_test_support::{TemporaryKafka, plans};
use rdkafka::{Offset, TopicPartitionList, admin::AdminOptions};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

fn users(count: usize) -> Vec<(String, Option<String>)> {
    (0..count).map(|id| (id.to_string(), Some(format!(r#"{{"user":{{"id":{id}}}}}"#)))).collect()
}

async fn problem(scene: &Scene, word: &str) -> String {
    scene.until(word, &format!("SELECT bool_and(problem LIKE '{word}: %') FROM millrace.progress"), PATIENCE).await;
    let problems: Vec<(String,)> = scene.query("SELECT problem FROM millrace.progress").await;
    problems[0].0.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_again_is_another_topic_even_when_it_is_longer() {
    let mut scene = Scene::new(plans::append, 1).await;
    scene.produce(&users(20)).await;
    let worker = scene.worker("user-view-0");
    scene.caught_up().await;
    let brokers = TemporaryKafka::shared().await;
    let admin = brokers.admin();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    let topic = scene.topic.clone();
    admin.delete_topics(&[topic.as_str()], &options).await.expect("answered")[0].as_ref().expect("deleted");
    // The name is free once every broker has heard of it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    brokers.create_topic(&topic, 1, &[]).await;
    scene.produce(&users(100)).await;
    let sentence = problem(&scene, "TopicRecreated").await;
    assert!(sentence.contains(&topic) && sentence.contains("replay"), "{sentence}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.stored.rows().await.len(), 20, "nothing of the new topic is applied");
    assert_eq!(worker.get("/healthz").map(|(status, _)| status), Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_below_the_log_is_lost_data_and_never_a_jump() {
    let mut scene = Scene::new(plans::append, 1).await;
    scene.produce(&users(50)).await;
    let admin = TemporaryKafka::shared().await.admin();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&scene.topic, 0, Offset::Offset(30)).expect("a valid offset");
    admin.delete_records(&list, &AdminOptions::new()).await.expect("the log is cut");
    let _worker = scene.worker("user-view-0");
    let sentence = problem(&scene, "DataLost").await;
    assert!(sentence.contains("30 offsets are gone"), "{sentence}");
    assert!(scene.stored.rows().await.is_empty());
    assert_eq!(scene.positions().await[&0], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_of_another_cluster_are_not_read_until_the_former_are_back() {
    let mut scene = Scene::new(plans::append, 2).await;
    scene.produce(&users(10)).await;
    let cluster: Vec<(String,)> = scene.query("SELECT DISTINCT kafka_cluster_id FROM millrace.progress").await;
    scene.execute("UPDATE millrace.progress SET kafka_cluster_id = 'another'").await;
    let first = scene.worker("user-view-0");
    let sentence = problem(&scene, "KafkaClusterChanged").await;
    assert!(sentence.contains("expected another"), "{sentence}");
    assert!(scene.stored.rows().await.is_empty());
    first.kill();
    scene.execute(&format!("UPDATE millrace.progress SET kafka_cluster_id = '{}'", cluster[0].0)).await;
    let _second = scene.worker("user-view-0");
    scene.caught_up().await;
    scene.until("the problem is gone", "SELECT bool_and(problem IS NULL) FROM millrace.progress", PATIENCE).await;
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_catalog_stops_the_view() {
    let mut scene = Scene::new(plans::append, 1).await;
    scene.produce(&users(10)).await;
    let _worker = scene.worker("user-view-0");
    scene.caught_up().await;
    let former: Vec<(String,)> = scene.query("SELECT catalog_id::text FROM millrace.catalog").await;
    scene.execute("UPDATE millrace.catalog SET catalog_id = gen_random_uuid()").await;
    problem(&scene, "CatalogChanged").await;
    scene.produce(&users(10)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.stored.rows().await.len(), 10);
    scene.execute(&format!("UPDATE millrace.catalog SET catalog_id = '{}'", former[0].0)).await;
    scene.caught_up().await;
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_is_not_open_is_left_alone() {
    let mut scene = Scene::new(plans::append, 2).await;
    scene.produce(&users(10)).await;
    let worker = scene.worker("user-view-0");
    scene.caught_up().await;
    scene
        .execute("UPDATE millrace.revision SET state = 'fenced'; UPDATE millrace.progress SET owner = owner + 1")
        .await;
    scene.produce(&users(10)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.stored.rows().await.len(), 10);
    let owners: Vec<(i64,)> = scene.query("SELECT owner FROM millrace.progress").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(owners, scene.query::<(i64,)>("SELECT owner FROM millrace.progress").await, "the owner is not raised");
    assert!(worker.log().contains("the revision is fenced"));
    assert_eq!(worker.get("/healthz").map(|(status, _)| status), Some(200));
    scene.execute("UPDATE millrace.revision SET state = 'open'").await;
    scene.caught_up().await;
    scene.assert_exact().await;
    // Readers have gone on to another revision, and this one is kept current for them to come back to.
    scene.execute("UPDATE millrace.revision SET state = 'standby'").await;
    scene.produce(&users(10)).await;
    scene.caught_up().await;
    scene.assert_exact().await;
}
