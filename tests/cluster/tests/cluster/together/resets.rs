//! Replays of apps: each kind of `from`, what holds one up, and a Kafka Streams program's.

use anyhow::{Context, Error, Result, bail, ensure};
use millrace_cluster_tests::{
    app::{App, LIMIT, committed},
    shell::{eventually, kubectl},
    topic::{self, BROKERS},
};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

const ONE: &str = "{mode: Auto, replicas: 1, min: 1, max: 1}";

/// Orders of an app's first half, and of both.
const HALF: i64 = 150;
const ALL: i64 = 300;

/// Where a replay must begin, given where the halves end; partitions that stay where they are begin nowhere.
type Expected = fn(halves: &[i64], ends: &[i64]) -> Vec<i64>;

const FROM: [(&str, &str, Expected); 6] = [
    ("earliest", r#"{"earliest":{}}"#, |_, ends| vec![0; ends.len()]),
    ("latest", r#"{"latest":{}}"#, |_, ends| ends.to_vec()),
    ("timestamp", r#"{"timestamp":"BETWEEN"}"#, |halves, _| halves.to_vec()),
    ("duration", r#"{"duration":"24h"}"#, |_, ends| vec![0; ends.len()]),
    ("offsets", r#"{"offsets":{"from-offsets":{"0":7,"1":11}}}"#, |_, _| vec![7, 11]),
    ("shift", r#"{"shiftBy":-10}"#, |_, ends| ends.iter().map(|end| end - 10).collect()),
];

/// Each with an app of its own, all at once: kubectl keeps a thread of each waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_replay_begins_where_it_says_and_saved_goes_back() -> Result<()> {
    let played: Vec<_> =
        FROM.iter().map(|(kind, from, expected)| tokio::spawn(replayed(kind, from, *expected))).collect();
    for replay in played {
        replay.await.map_err(Error::from)??;
    }
    Ok(())
}

async fn replayed(kind: &'static str, from: &'static str, expected: Expected) -> Result<()> {
    let app = App::analytics(&format!("from-{kind}"), 3, ONE).await?;
    app.order(0..HALF)?;
    let halves = topic::ends(&app.name)?;
    // Timestamps are milliseconds of the producer's clock, which is this one's.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let between = rfc3339(SystemTime::now())?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    app.order(HALF..ALL)?;
    app.wait_drained()?;
    let ends = topic::ends(&app.name)?;
    app.compare()?;

    app.replay("first", &from.replace("BETWEEN", &between))?;
    let begin = app.wait_for_begin("first")?;
    let expected = expected(&halves, &ends);
    ensure!(begin == expected, "{kind}: it begins at {begin:?}; expected {expected:?}");
    app.wait_replayed("first")?;
    app.wait_drained()?;
    app.compare().with_context(|| format!("after {kind}"))?;

    // Back to where the group was before: nothing is left to read.
    app.replay("back", r#"{"saved":"first"}"#)?;
    let begin = app.wait_for_begin("back")?;
    ensure!(begin == ends, "{kind}: saved goes back to {begin:?}; expected {ends:?}");
    app.wait_replayed("back")?;
    app.compare()?;
    app.delete()
}

/// As a person types it: `date` knows how.
fn rfc3339(time: SystemTime) -> Result<String> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let date =
        millrace_cluster_tests::shell::run("date", &["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])?;
    Ok(date.trim().to_owned())
}

/// A consumer that somebody has started by hand, in the group of an app. It polls until it is dropped.
struct Stranger {
    stop: Arc<AtomicBool>,
    polling: Option<thread::JoinHandle<()>>,
}

impl Stranger {
    fn join(group: &str, topic: &str) -> Result<Stranger> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", BROKERS)
            .set("group.id", group)
            .set("client.id", "stranger")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .create()?;
        consumer.subscribe(&[topic])?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let polling = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // What it reads is nobody's business here; that it is a member is.
                let _ = consumer.poll(Duration::from_millis(100));
            }
        });
        Ok(Stranger { stop, polling: Some(polling) })
    }

    fn leave(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.polling.take().map(thread::JoinHandle::join) {
            Some(Ok(())) => Ok(()),
            _ => bail!("the stranger ended by itself"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_in_the_group_is_named_and_holds_the_reset_until_it_leaves() -> Result<()> {
    let app = App::analytics("held", 3, ONE).await?;
    app.order(0..100)?;
    app.wait_drained()?;
    let stranger = Stranger::join("held", "held")?;
    eventually("the stranger is seen", LIMIT, || {
        let group = app.status()?["group"].clone();
        ensure!(group["foreignMembers"].to_string().contains("stranger"), "{group}");
        Ok(())
    })?;
    let before = committed("held", "held")?;
    app.replay("held-up", r#"{"earliest":{}}"#)?;
    eventually("the reset waits for the stranger", LIMIT, || {
        let status = app.status()?;
        let waits = status["phase"] == "Draining" && status["waitingOn"].to_string().contains("stranger");
        ensure!(waits, "{status}");
        Ok(())
    })?;
    tokio::time::sleep(Duration::from_secs(15)).await;
    ensure!(committed("held", "held")? == before, "offsets were altered under a member");
    ensure!(app.pods()?.is_empty() && app.status_of_replay("held-up")?["alteredAt"].is_null(), "it did not wait");

    stranger.leave()?;
    app.wait_replayed("held-up")?;
    app.wait_drained()?;
    app.compare()?;
    app.delete()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_streams_program_counts_anew_after_a_reset() -> Result<()> {
    kubectl(&["apply", "-f", "examples/product-totals.yaml"])?;
    let app = App::new("shop", "product-totals");
    app.wait_ready(2 * LIMIT)?;
    wait_for_totals()?;
    let id = format!("at-{}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs());
    app.replay(&id, r#"{"earliest":{}}"#)?;
    app.wait_replayed(&id)?;
    // With a changelog of before, each order would be counted twice.
    wait_for_totals()?;
    app.delete()
}

/// Until the newest totals are what the orders come to; others order meanwhile.
fn wait_for_totals() -> Result<()> {
    eventually("the totals are those of the orders", 2 * LIMIT, || {
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for record in topic::read_all("order-events")? {
            let Some(value) = record.value else { continue };
            let Ok(event) = serde_json::from_slice::<serde_json::Value>(&value) else { continue };
            if event["event_type"] == "ORDER_CREATED"
                && let (Some(product), Some(quantity)) =
                    (event["order"]["product"].as_str(), event["order"]["quantity"].as_i64())
            {
                *expected.entry(product.to_owned()).or_default() += quantity;
            }
        }
        let mut found: BTreeMap<String, i64> = BTreeMap::new();
        for record in topic::read_all("product-totals")? {
            let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default());
            found.insert(text(record.key)?, text(record.value)?.parse()?);
        }
        ensure!(found == expected, "found {found:?}; expected {expected:?}");
        Ok(())
    })
}
