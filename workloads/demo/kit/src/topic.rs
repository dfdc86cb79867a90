//! A service's topic: made when it is missing, otherwise left as it is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
};

pub const PARTITIONS: i32 = 6;
const REPLICAS: i32 = 3;
/// How long three brokers are waited for before fewer will do: one may just be starting.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn ensure(client: &ClientConfig, name: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = client.create().context("kafka client")?;
    let start = Instant::now();
    let mut replicas = REPLICAS;
    loop {
        match create(&admin, name, replicas).await? {
            None | Some(RDKafkaErrorCode::TopicAlreadyExists) => return Ok(()),
            Some(RDKafkaErrorCode::InvalidReplicationFactor) if start.elapsed() > PATIENCE => {
                replicas = brokers(client.clone()).await?.clamp(1, REPLICAS);
                tracing::warn!(topic = name, replicas, "topic is made with fewer replicas than {REPLICAS}");
            }
            Some(RDKafkaErrorCode::InvalidReplicationFactor) => {}
            Some(code) => bail!("topic {name:?} cannot be created: {code}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    name: &str,
    replicas: i32,
) -> Result<Option<RDKafkaErrorCode>> {
    let min_insync = (replicas - 1).max(1).to_string();
    let topic =
        NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(replicas)).set("min.insync.replicas", &min_insync);
    let timeout = Some(Duration::from_secs(15));
    let options = AdminOptions::new().request_timeout(timeout).operation_timeout(timeout);
    let results = admin.create_topics([&topic], &options).await.context("brokers do not answer")?;
    Ok(results.into_iter().find_map(|result| result.err().map(|(_, code)| code)))
}

async fn brokers(client: ClientConfig) -> Result<i32> {
    tokio::task::spawn_blocking(move || {
        let admin: AdminClient<DefaultClientContext> = client.create()?;
        let metadata = admin.inner().fetch_metadata(None, Duration::from_secs(10))?;
        Ok(metadata.brokers().len() as i32)
    })
    .await?
}
