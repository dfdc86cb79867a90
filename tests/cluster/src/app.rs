//! A StreamApp as a person sees it, its group as Kafka sees it, and what its orders must come to.

use crate::{
    database,
    resource::Resource,
    shell::{apply, eventually},
    topic::{self, BROKERS, TestProducer},
};
use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use serde_json::Value;
use std::{collections::BTreeMap, ops::Deref, time::Duration};

pub const LIMIT: Duration = Duration::from_secs(120);

pub struct App(Resource);

impl Deref for App {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        &self.0
    }
}

impl App {
    pub fn new(namespace: &str, name: &str) -> App {
        App(Resource::new("sapp", "millrace.dev/app", namespace, name))
    }

    /// An analytics app in namespace `shop` with a topic, a group and products of its own, all by its name; ready.
    pub async fn analytics(name: &str, partitions: i32, workers: &str) -> Result<App> {
        let app = App::new("shop", name);
        app.delete()?;
        topic::delete(name).await?;
        topic::delete(&format!("{name}-dead-letters")).await?;
        apply(&manifest(name, partitions, workers))?;
        app.wait_ready(LIMIT)?;
        // What an app of this name has counted in another run; the group may stand anywhere still.
        database::psql(&format!(
            "DELETE FROM demo_analytics.sales WHERE product LIKE '{name} %';
             DELETE FROM demo_analytics.handled WHERE event_id LIKE '{name}-%'"
        ))?;
        Ok(app)
    }

    /// Sends so many orders and waits until the group has committed the last of them.
    pub fn order(&self, numbers: std::ops::Range<i64>) -> Result<()> {
        let producer = TestProducer::new()?;
        for number in numbers {
            let order = order(&self.name, number);
            producer.send(&self.name, number.to_string().as_bytes(), Some(order.as_bytes()))?;
        }
        producer.flush()
    }

    /// Until the group stands at the end of every partition.
    pub fn wait_drained(&self) -> Result<()> {
        eventually(&format!("{} has read its topic", self.name), LIMIT, || {
            let (committed, ends) = (committed(&self.name, &self.name)?, topic::ends(&self.name)?);
            ensure!(committed == ends, "it stands at {committed:?} of {ends:?}");
            Ok(())
        })
    }

    /// The app's table has what the records of its topic come to, each event counted once.
    pub fn compare(&self) -> Result<()> {
        let expected = reference(&self.name)?;
        let rows = database::psql(&format!(
            "SELECT product, orders, quantity FROM demo_analytics.sales WHERE product LIKE '{} %'",
            self.name
        ))?;
        let found: BTreeMap<String, (i64, i64)> = rows
            .lines()
            .map(|line| {
                let [product, orders, quantity] = line.split('|').collect::<Vec<_>>()[..] else {
                    anyhow::bail!("psql says {line}");
                };
                Ok((product.to_owned(), (orders.parse()?, quantity.parse()?)))
            })
            .collect::<Result<_>>()?;
        ensure!(found == expected, "{} has {found:?}; expected {expected:?}", self.name);
        Ok(())
    }

    /// Asks for a replay; `from` is JSON.
    pub fn replay(&self, id: &str, from: &str) -> Result<()> {
        self.patch(&format!(r#"{{"spec":{{"replay":{{"id":"{id}","from":{from}}}}}}}"#))
    }

    /// The replay of this id as the status has it; null where it was not accepted.
    pub fn status_of_replay(&self, id: &str) -> Result<Value> {
        let status = self.status()?;
        let replays = status["replays"].as_array().cloned().unwrap_or_default();
        Ok(replays.into_iter().find(|replay| replay["id"] == id).unwrap_or_default())
    }

    /// Where the replay begins, partition by partition, seen while it goes on.
    pub fn wait_for_begin(&self, id: &str) -> Result<Vec<i64>> {
        eventually(&format!("replay {id} of {} says where it begins", self.name), LIMIT, || {
            let replay = self.status_of_replay(id)?;
            offsets(&replay["begin"][&self.name]).with_context(|| replay.to_string())
        })
    }

    /// Until the group has read again what there was, and the app is ready.
    pub fn wait_replayed(&self, id: &str) -> Result<()> {
        eventually(&format!("replay {id} of {} has caught up", self.name), 2 * LIMIT, || {
            let status = self.status()?;
            let replay = self.status_of_replay(id)?;
            ensure!(replay["caughtUpAt"].is_string() && status["phase"] == "Steady", "{status}");
            Ok(())
        })?;
        self.wait_ready(LIMIT)
    }
}

/// {"0": 5, "1": 7} as a list; nothing where there is none.
fn offsets(by_partition: &Value) -> Option<Vec<i64>> {
    let by_partition = by_partition.as_object()?;
    (0..by_partition.len()).map(|partition| by_partition.get(&partition.to_string())?.as_i64()).collect()
}

fn manifest(name: &str, partitions: i32, workers: &str) -> String {
    let example = std::fs::read_to_string(format!("{}/examples/analytics.yaml", crate::shell::project()))
        .expect("examples/analytics.yaml is there");
    let app = example.split("---\n").last().unwrap_or_default();
    app.replace("name: analytics,", &format!("name: {name},"))
        .replace("consumerGroup: analytics", &format!("consumerGroup: {name}"))
        .replace("analytics-dead-letters", &format!("{name}-dead-letters"))
        .replace(
            "topic: order-events, ensureTopic: {partitions: 6",
            &format!("topic: {name}, ensureTopic: {{partitions: {partitions}"),
        )
        .replace("workers: {mode: Auto, replicas: 1, min: 1, max: 3}", &format!("workers: {workers}"))
}

const PRODUCTS: [&str; 3] = ["키보드", "의자", "Desk lamp"];

/// The value of an order event; every fifth event comes twice, as an at-least-once producer sends it.
fn order(app: &str, number: i64) -> String {
    let id = number - i64::from(number % 5 == 4);
    serde_json::json!({
        "event_id": format!("{app}-{id}"), "event_type": "ORDER_CREATED",
        "order": {
            "id": number, "user_id": number, "product": format!("{app} {}", PRODUCTS[id as usize % PRODUCTS.len()]),
            "quantity": id % 7 + 1, "unit_price": 1000, "status": "PLACED", "created_at": "2026-01-01T00:00:00Z",
        },
        "at": "2026-01-01T00:00:00Z",
    })
    .to_string()
}

/// Orders and pieces of each product, from the raw records, each event id once.
fn reference(topic: &str) -> Result<BTreeMap<String, (i64, i64)>> {
    let mut events = BTreeMap::new();
    for record in topic::read_all(topic)? {
        let value: Value = serde_json::from_slice(&record.value.context("an order event has a value")?)?;
        events.insert(value["event_id"].to_string(), value["order"].clone());
    }
    let mut totals: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for order in events.values() {
        let (orders, quantity) = totals.entry(order["product"].as_str().unwrap_or_default().to_owned()).or_default();
        *orders += 1;
        *quantity += order["quantity"].as_i64().context("a quantity")?;
    }
    Ok(totals)
}

/// What a group has committed, partition by partition; 0 where it has committed nothing.
pub fn committed(group: &str, topic: &str) -> Result<Vec<i64>> {
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", BROKERS).set("group.id", group).create()?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_range(topic, 0, topic::ends(topic)?.len() as i32 - 1);
    let committed = client.committed_offsets(partitions, Duration::from_secs(30))?;
    Ok(committed.elements().iter().map(|element| element.offset().to_raw().unwrap_or(0).max(0)).collect())
}
