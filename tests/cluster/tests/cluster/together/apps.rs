//! Apps with topics and groups of their own: what keeps a group where it is, and what changes how many read.

use anyhow::{Context, Result, ensure};
use millrace_cluster_tests::{
    app::{App, LIMIT, committed},
    database,
    rest::{ORDERS, curl},
    shell::{eventually, kubectl, run},
    topic,
};
use serde_json::json;
use std::time::Duration;

const ONE: &str = "{mode: Auto, replicas: 1, min: 1, max: 1}";

fn wait_for_pods(app: &App, count: usize) -> Result<Vec<String>> {
    eventually(&format!("{} has {count} pods", app.name), LIMIT, || {
        let pods = app.pods()?;
        ensure!(pods.len() == count, "found {pods:?}");
        Ok(pods)
    })
}

/// The group has so many members, and each has something to read.
fn wait_for_members(app: &App, count: i64) -> Result<()> {
    eventually(&format!("{} has {count} members", app.name), LIMIT, || {
        let group = app.status()?["group"].clone();
        ensure!(group["members"] == count && group["idleMembers"] == 0, "found {group}");
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_template_is_rolled_out_without_a_reset() -> Result<()> {
    let app = App::analytics("rolled", 3, ONE).await?;
    app.order(0..300)?;
    app.wait_drained()?;
    let (before, pods) = (committed("rolled", "rolled")?, wait_for_pods(&app, 1)?);
    let patch = r#"[{"op":"add","path":"/spec/podTemplate/metadata","value":{"annotations":{"rolled":"once"}}},
                    {"op":"add","path":"/spec/podTemplate/spec/containers/0/env/-","value":{"name":"MILLRACE_LOG","value":"debug"}}]"#;
    kubectl(&["-n", "shop", "patch", "sapp", "rolled", "--type", "json", "-p", patch])?;
    eventually("another pod runs", LIMIT, || {
        let now = app.pods()?;
        ensure!(now.len() == 1 && now != pods, "found {now:?}");
        Ok(())
    })?;
    app.wait_ready(LIMIT)?;
    let after = committed("rolled", "rolled")?;
    ensure!(after == before, "the group stood at {before:?} and stands at {after:?}");
    ensure!(app.status()?["replays"].as_array().is_none_or(Vec::is_empty), "a replay was made of it");
    app.order(300..400)?;
    app.wait_drained()?;
    app.compare()?;
    app.delete()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_app_reads_nothing_and_goes_on_where_it_was() -> Result<()> {
    let app = App::analytics("suspended", 3, ONE).await?;
    app.order(0..100)?;
    app.wait_drained()?;
    let before = committed("suspended", "suspended")?;
    app.patch(r#"{"spec":{"suspend":true}}"#)?;
    wait_for_pods(&app, 0)?;
    app.order(100..200)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    ensure!(committed("suspended", "suspended")? == before, "somebody has read on");
    app.patch(r#"{"spec":{"suspend":false}}"#)?;
    app.wait_drained()?;
    app.compare()?;
    app.delete()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_scale_changes_how_many_read_and_none_is_idle() -> Result<()> {
    let app = App::analytics("scaled", 3, "{mode: Fixed, replicas: 1, min: 1, max: 3}").await?;
    for replicas in [3, 2] {
        let asked = format!("--replicas={replicas}");
        kubectl(&["-n", "shop", "scale", "sapp/scaled", &asked])?;
        wait_for_pods(&app, replicas)?;
        wait_for_members(&app, replicas as i64)?;
        app.wait_ready(LIMIT)?;
    }
    app.order(0..300)?;
    app.wait_drained()?;
    app.compare()?;
    app.delete()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_grows_gets_another_reader_and_every_record_is_read() -> Result<()> {
    let app = App::analytics("grown-app", 2, "{mode: Auto, replicas: 1, min: 1, max: 4}").await?;
    wait_for_members(&app, 2)?;
    topic::grow("grown-app", 4).await?;
    wait_for_pods(&app, 4)?;
    wait_for_members(&app, 4)?;
    app.order(0..400)?;
    app.wait_drained()?;
    ensure!(topic::ends("grown-app")?.iter().all(|end| *end > 0), "a partition got no record");
    app.compare()?;
    app.delete()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_its_whole_way_through_the_shop() -> Result<()> {
    for example in ["inventory", "notification", "analytics"] {
        kubectl(&["apply", "-f", &format!("examples/{example}.yaml")])?;
        App::new("shop", example).wait_ready(LIMIT)?;
    }
    let too_many = json!({"user_id": 1, "product": "한정판", "quantity": 9_999, "unit_price": 1000});
    let order = curl("POST", ORDERS, Some(&too_many))?;
    let id = order["id"].as_i64().context("an order has an id")?;
    let address = format!("{ORDERS}/{id}");
    eventually("the order is cancelled", LIMIT, || {
        let found = curl("GET", &address, None)?;
        ensure!(found["status"] == "CANCELLED", "{found}");
        Ok(())
    })?;
    let told = format!("SELECT count(*) FROM demo_notification.message WHERE order_id = {id}");
    eventually("the customer is told both", LIMIT, || {
        let messages = database::psql(&told)?;
        ensure!(messages.trim() == "2", "{messages} messages");
        Ok(())
    })?;
    let loaded = run("cargo", &["xtask", "load", "--orders", "2000", "--rate", "500"])?;
    ensure!(loaded.contains("notification: 2000 of 2000") && loaded.contains("inventory: 2000 of 2000"), "{loaded}");
    let page = run("cargo", &["xtask", "status"])?;
    for words in ["inventory order-events: lag", "demo_inventory.stock", "orders   {\"postgres\""] {
        ensure!(page.contains(words), "`cargo xtask status` does not say {words:?}:\n{page}");
    }
    // The tests that come next have the machine to themselves.
    ["inventory", "notification", "analytics"].into_iter().try_for_each(|example| App::new("shop", example).delete())
}
