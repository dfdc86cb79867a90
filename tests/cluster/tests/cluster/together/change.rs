//! What changes under a running view: its topic grows, its workers are scaled, its query changes.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    database,
    manifest::{item, table_view},
    reference::Reference,
    shell::{apply, eventually, kubectl},
    topic::{self, TestProducer},
    view::View,
};
use std::time::Duration;

const GROUPED: &str = "SELECT team, count(*) AS items, sum(amount) AS total, min(amount) AS smallest, max(amount) AS largest FROM items GROUP BY team";
const GROUPED_REFERENCE: &str =
    "SELECT value ->> '부서' AS team, count(*) AS items, sum((value ->> 'amount')::bigint) AS total,
    min((value ->> 'amount')::bigint) AS smallest, max((value ->> 'amount')::bigint) AS largest
    FROM newest WHERE value IS NOT NULL GROUP BY 1";

fn send_round(producer: &TestProducer, topic: &str, round: i64, keys: i64) -> Result<()> {
    for key in 0..keys {
        let id = format!("키-{key}");
        if (key + round) % 7 == 3 {
            producer.send(topic, id.as_bytes(), None)?;
        } else {
            let team = ["개발", "영업", "design", ""][((key * 31 + round) % 4) as usize];
            producer.send(topic, id.as_bytes(), Some(item(&id, team, key * 100 + round).as_bytes()))?;
        }
    }
    producer.flush()
}

async fn equals_reference(table: &str, topic: &str) -> Result<()> {
    let pool = database::pool().await?;
    let reference = Reference::of(&topic::read_all(topic)?).await?;
    let actual = format!("SELECT team, items, total, smallest, largest FROM shop.{table}");
    let start = std::time::Instant::now();
    loop {
        match reference.compare(GROUPED_REFERENCE, &pool, &actual).await {
            Ok(_) => return Ok(()),
            Err(error) if start.elapsed() > Duration::from_secs(60) => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grown_topic_is_noticed_and_old_keys_stay_right_also_after_a_replay() -> Result<()> {
    let (topic, view) = ("growing", View::new("shop", "growing"));
    view.delete_with_its_table()?;
    topic::delete(topic).await?;
    apply(&table_view("growing", topic, 6, GROUPED))?;
    view.wait_ready(Duration::from_secs(120))?;
    let producer = TestProducer::new()?;
    for round in 0..3 {
        send_round(&producer, topic, round, 400)?;
    }
    topic::grow(topic, 8).await?;
    // A producer that starts now knows eight partitions: old keys move to other ones.
    let producer = TestProducer::new()?;
    for round in 3..6 {
        send_round(&producer, topic, round, 400)?;
    }
    eventually("eight partitions have progress rows", Duration::from_secs(30), || {
        let rows = database::psql(
            "select count(*) from millrace.progress p join millrace.view v on v.name = p.view and v.live_revision = p.revision where p.view = 'growing'",
        )?;
        ensure!(rows.trim() == "8", "found {rows}");
        Ok(())
    })?;
    equals_reference("growing", topic).await?;
    let before = view.live_revision()?;
    view.patch(r#"{"spec":{"replay":{"id":"after-growth","from":{"earliest":{}}}}}"#)?;
    view.wait_ready(Duration::from_secs(180))?;
    ensure!(view.live_revision()? != before, "the replay made a new revision");
    equals_reference("growing", topic).await?;
    let events = kubectl(&[
        "-n",
        "shop",
        "get",
        "events",
        "--field-selector=involvedObject.name=growing",
        "-o",
        "jsonpath={.items[*].message}",
    ])?;
    ensure!(
        events.contains("growing/6, growing/7") && events.contains("the higher timestamp wins"),
        "an event tells what growing means: {events}"
    );
    view.delete_with_its_table()?;
    topic::delete(topic).await
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_scaled_and_a_query_is_changed_under_readers() -> Result<()> {
    let (topic, view) = ("changing", View::new("shop", "changing"));
    view.delete_with_its_table()?;
    topic::delete(topic).await?;
    apply(&table_view("changing", topic, 6, GROUPED))?;
    view.wait_ready(Duration::from_secs(120))?;
    let producer = TestProducer::new()?;

    kubectl(&[
        "-n",
        "shop",
        "patch",
        "mv",
        "changing",
        "--type",
        "merge",
        "-p",
        r#"{"spec":{"workers":{"mode":"Fixed"}}}"#,
    ])?;
    kubectl(&["-n", "shop", "scale", "mv/changing", "--replicas=3"])?;
    eventually("three workers run", Duration::from_secs(90), || {
        let pods = view.pods()?;
        ensure!(pods.len() == 3, "found {pods:?}");
        Ok(())
    })?;
    send_round(&producer, topic, 6, 400)?;
    equals_reference("changing", topic).await?;

    view.patch(&serde_json::json!({"spec": {"query": GROUPED.replace("max(amount) AS largest", "max(amount) AS largest, sum(amount) * 2 AS twice")}}).to_string())?;
    view.wait_ready(Duration::from_secs(180))?;
    equals_reference("changing", topic).await?;
    let wrong = database::psql("select count(*) from shop.changing where twice is distinct from total * 2")?;
    ensure!(wrong.trim() == "0", "the added column is kept: {wrong}");
    view.delete_with_its_table()?;
    topic::delete(topic).await
}
