//! A reset of an app while the operator that leads is killed all the time, and an app that goes on while a node is lost.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    app::{App, LIMIT},
    chaos::{self, Storm},
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_comes_to_its_end_once_although_the_operator_is_killed_every_three_seconds() -> Result<()> {
    let app = App::analytics("stormy", 3, "{mode: Auto, replicas: 1, min: 1, max: 3}").await?;
    app.order(0..3_000)?;
    app.wait_drained()?;
    let storm = Storm::begin(Duration::from_secs(3), chaos::kill_leader);
    app.replay("in-the-storm", r#"{"earliest":{}}"#)?;
    let begin = app.wait_for_begin("in-the-storm");
    // The storm ends whatever came of it.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let strikes = storm.end()?;
    ensure!(begin? == [0, 0, 0], "it begins elsewhere");
    ensure!(strikes >= 5, "the operator was killed {strikes} times only");
    app.wait_replayed("in-the-storm")?;
    app.wait_drained()?;
    app.compare()?;
    let replays = app.status()?["replays"].as_array().map_or(0, Vec::len);
    ensure!(replays == 1, "{replays} replays were made of one");
    app.delete()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_was_suspended_goes_on_while_a_node_is_lost() -> Result<()> {
    let app = App::analytics("homeless", 3, "{mode: Auto, replicas: 1, min: 1, max: 3}").await?;
    app.order(0..300)?;
    app.wait_drained()?;
    app.patch(r#"{"spec":{"suspend":true}}"#)?;
    let lost = chaos::spare_node()?;
    chaos::stop_node(&lost)?;
    app.order(300..600)?;
    app.patch(r#"{"spec":{"suspend":false}}"#)?;
    // Pods that were put on the lost node before anybody knew are started elsewhere.
    let drained = app.wait_drained();
    chaos::start_node(&lost)?;
    drained?;
    app.wait_ready(2 * LIMIT)?;
    app.compare()?;
    app.delete()
}
