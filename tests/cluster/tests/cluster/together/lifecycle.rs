//! Suspend, delete, adopt.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    database,
    manifest::{item, table_view},
    shell::{apply, eventually},
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
