//! Brokers that go and come back: what is read waits for them, and nothing is lost or stops for long.

use crate::common::Scene;
use millrace_test_support::{TemporaryKafka, TemporaryPostgres, plans};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use std::time::{Duration, Instant};

fn user(id: usize) -> (String, Option<String>) {
    (id.to_string(), Some(format!(r#"{{"user":{{"id":{id}}}}}"#)))
}

/// A topic whose partitions lie on these brokers (1 to 3), the leader first.
async fn placed(brokers: &TemporaryKafka, name: &str, partitions: &[&[i32]], settings: &[(&str, &str)]) -> String {
    let mut topic = NewTopic::new(name, partitions.len() as i32, TopicReplication::Variable(partitions));
    for (setting, value) in settings {
        topic = topic.set(setting, value);
    }
    let made = brokers.admin().create_topics([&topic], &AdminOptions::new()).await.expect("answered");
    made[0].as_ref().expect("made");
    // Brokers hear of it one after the other.
    tokio::time::sleep(Duration::from_secs(2)).await;
    name.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_down_stops_nothing_for_long() {
    let mut random = ChaCha8Rng::seed_from_u64(rand::rng().next_u64());
    let mut brokers = tokio::task::spawn_blocking(TemporaryKafka::start).await.expect("the brokers start");
    let database = TemporaryPostgres::owned_database().await;
    let mut scene = Scene::on(&brokers, database, plans::table_totals, 6).await;
    let worker = scene.worker("user-view-0");
    scene.produce_history(&mut random, 500).await;
    scene.caught_up().await;
    for node in 0..3 {
        brokers = tokio::task::spawn_blocking(move || {
            brokers.kill_node(node);
            brokers
        })
        .await
        .expect("a broker is killed");
        let killed = Instant::now();
        scene.produce_history(&mut random, 500).await;
        let produced = killed.elapsed();
        scene.caught_up().await;
        eprintln!("broker {node} down: produced after {produced:?}, applied after {:?}", killed.elapsed());
        assert!(killed.elapsed() - produced < Duration::from_secs(15));
        brokers = tokio::task::spawn_blocking(move || {
            brokers.start_node(node);
            brokers
        })
        .await
        .expect("the broker is back");
        scene.produce_history(&mut random, 200).await;
        scene.caught_up().await;
    }
    scene.assert_exact().await;
    let problems: Vec<(i64,)> = scene.query("SELECT count(*) FROM millrace.progress WHERE problem IS NOT NULL").await;
    assert_eq!(problems, [(0,)], "unknown is not absent");
    assert_eq!(worker.get("/healthz").map(|(status, _)| status), Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_brokers_away_are_waited_for() {
    let mut random = ChaCha8Rng::seed_from_u64(rand::rng().next_u64());
    let brokers = tokio::task::spawn_blocking(TemporaryKafka::start).await.expect("the brokers start");
    let database = TemporaryPostgres::owned_database().await;
    let mut scene = Scene::on(&brokers, database, plans::upsert, 2).await;
    let before = scene.worker("user-view-0");
    scene.produce_history(&mut random, 300).await;
    scene.caught_up().await;
    (0..3).for_each(|node| brokers.stop_node(node));
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(before.get("/healthz").map(|(status, _)| status), Some(200), "it lives");
    assert_eq!(before.get("/readyz").map(|(status, _)| status), Some(503), "and says that it cannot work");
    before.kill();
    // One that starts while nobody answers waits as well.
    let after = scene.worker("user-view-0");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(after.get("/healthz").map(|(status, _)| status), Some(200));
    (0..3).for_each(|node| brokers.continue_node(node));
    scene.produce_history(&mut random, 300).await;
    scene.caught_up().await;
    scene.assert_exact().await;
    let problems: Vec<(i64,)> = scene.query("SELECT count(*) FROM millrace.progress WHERE problem IS NOT NULL").await;
    assert_eq!(problems, [(0,)]);
    assert_eq!(after.get("/readyz").map(|(status, _)| status), Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_a_new_leader_does_not_have_are_lost_data_whatever_came_since() {
    let mut brokers = tokio::task::spawn_blocking(TemporaryKafka::start).await.expect("the brokers start");
    let settings = [("min.insync.replicas", "1"), ("unclean.leader.election.enable", "true")];
    let topic = placed(&brokers, "truncated", &[&[1, 2]], &settings).await;
    let database = TemporaryPostgres::owned_database().await;
    let mut scene = Scene::over(&brokers, database, plans::append, topic).await;
    let users: Vec<_> = (0..10).map(user).collect();
    scene.produce(&users).await;
    let worker = scene.worker("user-view-0");
    scene.caught_up().await;
    // The follower misses ten records, and is the leader afterwards.
    brokers = tokio::task::spawn_blocking(move || {
        brokers.kill_node(1);
        brokers
    })
    .await
    .expect("the follower is killed");
    scene.produce(&users).await;
    scene.caught_up().await;
    worker.signal(libc::SIGSTOP);
    brokers = tokio::task::spawn_blocking(move || {
        brokers.kill_node(0);
        brokers.start_node(1);
        brokers
    })
    .await
    .expect("the follower leads");
    // The former producer counts its records from those that are gone.
    scene.producer = crate::common::producer_config(&scene.kafka).create().expect("the settings are valid");
    for _ in 0..3 {
        scene.produce(&users).await;
    }
    let last = scene.records.last().expect("produced").offset;
    assert_eq!(last, 39, "the new leader has ten records fewer");
    worker.signal(libc::SIGCONT);
    let lost = "SELECT problem LIKE 'DataLost: %other records%' FROM millrace.progress";
    scene.until("the loss is said", lost, Duration::from_secs(40)).await;
    assert_eq!(scene.positions().await[&0], 20, "nothing is read past it");
    drop(brokers);
}
