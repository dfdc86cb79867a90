//! A broker of its own cluster is killed: whoever looks at topics sees them again, whichever broker that was to it.

use millrace_contract::connection::KafkaConnection;
use millrace_operator::{
    view::{desired::TopicWish, known::Known},
    world::kafka::Admin,
};
use millrace_test_support::TemporaryKafka;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Each client is told of a controller by chance, one of three: one of so many was told of the broker that is killed.
const CLIENTS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_seen_again_soon_after_a_broker_is_killed() {
    let mut kafka = tokio::task::spawn_blocking(TemporaryKafka::start).await.expect("brokers start");
    kafka.create_topic("users", 3, &[("min.insync.replicas", "2")]).await;
    let connection = KafkaConnection {
        bootstrap_servers: kafka.bootstrap_servers(),
        security_protocol: "PLAINTEXT".into(),
        sasl_mechanism: None,
        username: None,
        password: None,
        ca: None,
    };
    let admins: Vec<Arc<Admin>> = (0..CLIENTS).map(|_| Arc::new(Admin::open(&connection).expect("a client"))).collect();
    for admin in &admins {
        assert!(sees(admin).await, "the topic is there");
    }
    kafka.kill_node(2);
    let killed = Instant::now();
    let look = admins.iter().map(async |admin| {
        while !sees(admin).await {
            assert!(killed.elapsed() < PATIENCE, "it does not see the topic any more");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    futures::future::join_all(look).await;
}

async fn sees(admin: &Arc<Admin>) -> bool {
    let wish = TopicWish { topic: "users".into(), ensure: None };
    match admin.clone().observe(&[wish], None, |_| false).await {
        Known::Present(kafka) => {
            matches!(kafka.by_topic.get("users"), Some(Known::Present(topic)) if topic.partitions.len() == 3)
        }
        _ => false,
    }
}
