//! Suspend, delete, adopt; and the operator that does it is killed.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    database,
    manifest::{item, table_view},
    shell::{apply, eventually, kubectl},
    topic::{self, TestProducer},
    view::View,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn count(table: &str) -> Result<String> {
    Ok(database::psql(&format!("select count(*) from shop.{table}"))?.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_view_is_retained_and_adopted_and_delete_leaves_nothing() -> Result<()> {
    let view = View::new("shop", "kept");
    view.delete_with_its_table()?;
    topic::delete("kept").await?;
    let manifest = table_view("kept", "kept", 3, "SELECT id, team, amount FROM items");
    apply(&manifest)?;
    view.wait_ready(Duration::from_secs(120))?;
    let producer = TestProducer::new()?;
    let send = |from: i64, to: i64| -> Result<()> {
        for key in from..to {
            let id = format!("키-{key}");
            producer.send("kept", id.as_bytes(), Some(item(&id, "개발", key).as_bytes()))?;
        }
        producer.flush()
    };
    send(0, 100)?;
    let has = |rows: &'static str| {
        eventually(&format!("{rows} rows"), MINUTE, move || {
            let found = count("kept")?;
            ensure!(found == rows, "found {found}");
            Ok(())
        })
    };
    has("100")?;
    let live = view.live_revision()?;
    view.delete()?;
    ensure!(count("kept")? == "100", "a retained view stays readable");
    send(100, 150)?;

    apply(&manifest)?;
    view.wait_ready(Duration::from_secs(120))?;
    ensure!(view.live_revision()? == live, "the retained revision was adopted, not rebuilt");
    has("150")?;

    view.patch(r#"{"spec":{"suspend":true}}"#)?;
    eventually("no worker runs", MINUTE, || {
        let pods = view.pods()?;
        ensure!(pods.is_empty(), "found {pods:?}");
        Ok(())
    })?;
    send(150, 160)?;
    ensure!(count("kept")? == "150", "a suspended view stands still");
    view.patch(r#"{"spec":{"suspend":false}}"#)?;
    has("160")?;

    view.patch(r#"{"spec":{"deletionPolicy":"Delete"}}"#)?;
    view.delete()?;
    let left = database::psql(
        "select (select count(*) from pg_views where schemaname = 'shop' and viewname = 'kept')
              + (select count(*) from millrace.view where name = 'kept')
              + (select count(*) from millrace.progress where view = 'kept')",
    )?;
    ensure!(left.trim() == "0", "deletionPolicy Delete left {left} things behind");
    topic::delete("kept").await
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
