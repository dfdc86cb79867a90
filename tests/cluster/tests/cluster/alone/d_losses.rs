//! What the system itself loses: a broker, the operator that leads.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    chaos, database,
    manifest::{item, table_view},
    shell::{apply, eventually, kubectl},
    topic::{self, TestProducer},
    view::View,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_down_stops_nothing() -> Result<()> {
    let view = View::new("shop", "steady");
    view.delete_with_its_table()?;
    topic::delete("steady").await?;
    apply(&table_view("steady", "steady", 6, "SELECT id, amount FROM items"))?;
    view.wait_ready(Duration::from_secs(120))?;
    let node = chaos::node_of("millrace-system", "kafka-2")?;
    chaos::signal(&node, "KILL", "kafka.Kafka")?;
    let producer = TestProducer::new()?;
    for key in 0..2_000 {
        let id = format!("키-{key}");
        producer.send("steady", id.as_bytes(), Some(item(&id, "x", key).as_bytes()))?;
    }
    producer.flush()?;
    eventually("all rows are there", Duration::from_secs(120), || {
        let rows = database::psql("select count(*), sum(amount) from shop.steady")?;
        ensure!(rows.trim() == format!("2000|{}", 1999 * 1000), "found {rows}");
        Ok(())
    })?;
    kubectl(&["-n", "millrace-system", "wait", "--for=condition=Ready", "pod/kafka-2", "--timeout=120s"])?;
    view.delete_with_its_table()?;
    topic::delete("steady").await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leading_operator_is_killed_the_other_one_goes_on() -> Result<()> {
    let view = View::new("shop", "led");
    view.delete_with_its_table()?;
    let leader = || {
        kubectl(&[
            "-n",
            "millrace-system",
            "get",
            "lease",
            "millrace-operator",
            "-o",
            "jsonpath={.spec.holderIdentity}",
        ])
    };
    let first = leader()?;
    ensure!(!first.is_empty(), "nobody leads");
    kubectl(&["-n", "millrace-system", "delete", "pod", &first, "--grace-period=0", "--force"])?;
    // Applied while nobody leads: it is the next leader's to do.
    apply(&table_view("led", "led", 1, "SELECT id, amount FROM items"))?;
    let second = eventually("another operator leads", MINUTE, || {
        let now = leader()?;
        ensure!(!now.is_empty() && now != first, "{now} leads");
        Ok(now)
    })?;
    view.wait_ready(Duration::from_secs(120))?;
    ensure!(leader()? == second, "the lead did not stay with {second}");
    view.delete_with_its_table()?;
    topic::delete("led").await
}
