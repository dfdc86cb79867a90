//! Rollouts of a small view: columns that come and go under those who read them, records that are gone, no room for two,
//! a way back that is kept open.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    database,
    items::live_view,
    manifest::item,
    reader::{Mode, Reader, Readers, require_no_wrong},
    shell::{eventually, kubectl},
    topic::{self, TestProducer},
    view::View,
};
use std::time::Duration;

const KEYS: i64 = 2_000;
const LIMIT: Duration = Duration::from_secs(120);

fn ask(view: &View, query: &str) -> Result<()> {
    view.patch(&serde_json::json!({"spec": {"query": query}}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_come_and_go_under_those_who_depend_on_them() -> Result<()> {
    let view = live_view("columns", 1, KEYS, "SELECT id, team AS 부서 FROM items").await?;
    database::psql(
        "create schema if not exists reports;
         create or replace view reports.teams as select \"부서\", count(*) as items from shop.columns group by 1",
    )?;
    let pool = database::pool().await?;
    let readers = Readers::start(vec![Reader {
        pool: pool.clone(),
        mode: Mode::ReadCommitted { pause: Duration::from_millis(5) },
        query: "SELECT coalesce(sum(items), 0)::bigint FROM reports.teams".into(),
    }]);

    // A column more: whoever reads the others notices nothing, and the new one is there.
    ask(&view, "SELECT id, team AS 부서, amount FROM items")?;
    view.wait_ready(LIMIT)?;
    let sum = database::psql("select sum(amount) from shop.columns")?;
    ensure!(sum.trim() == (KEYS * (KEYS - 1) / 2).to_string(), "the new column is filled: {sum}");

    // A column less is held, and who reads it is named.
    ask(&view, "SELECT id, amount FROM items")?;
    let said = view.wait_condition("Ready", "False", "BreakingChange", LIMIT)?;
    ensure!(said.contains("부서 text is gone (read by reports.teams)"), "{said}");

    // A person may decide that it goes: the column stays, without values.
    view.patch(r#"{"spec":{"rollout":{"onBreakingChange":"AwaitApproval"}}}"#)?;
    view.wait_condition("Ready", "False", "AwaitingPromotion", LIMIT)?;
    let revision = view.get("{.status.rollout.revision}")?;
    let promote = format!("millrace.dev/promote={revision}");
    kubectl(&["-n", "shop", "annotate", "--overwrite", "mv", "columns", &promote])?;
    view.wait_ready(LIMIT)?;
    let teams = database::psql("select count(\"부서\"), count(*) from shop.columns")?;
    ensure!(teams.trim() == format!("0|{KEYS}"), "found {teams}");
    require_no_wrong(&readers.finish().await?)?;

    // A column of another type cannot take its place, whoever says so.
    ask(&view, "SELECT id, amount::text AS amount FROM items")?;
    let said = view.wait_condition("Ready", "False", "BreakingChange", LIMIT)?;
    ensure!(said.contains("amount was bigint and is text"), "{said}");
    database::psql("drop schema reports cascade")?;
    view.delete_with_its_table()?;
    topic::delete("columns").await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_retention_has_removed_are_not_done_without_unless_a_person_says_so() -> Result<()> {
    let view = live_view("shortened", 1, KEYS, "SELECT id, amount FROM items").await?;
    let before = view.live_revision()?;
    topic::cut("shortened", 0, 500).await?;
    view.patch(r#"{"spec":{"replay":{"id":"cut","from":{"earliest":{}}}}}"#)?;
    let said = view.wait_condition("Ready", "False", "RetentionCutsReplay", LIMIT)?;
    ensure!(said.contains("begins at offset 500 now, the live revision was built from offset 0"), "{said}");
    let rows = database::psql("select count(*) from shop.shortened")?;
    ensure!(view.live_revision()? == before && rows.trim() == KEYS.to_string(), "the live one stays: {rows}");

    view.patch(r#"{"spec":{"replay":{"id":"cut","acceptTruncation":true}}}"#)?;
    view.wait_ready(LIMIT)?;
    let rows = database::psql("select count(*), min(amount) from shop.shortened")?;
    ensure!(rows.trim() == format!("{}|500", KEYS - 500), "what is left is there: {rows}");
    view.delete_with_its_table()?;
    topic::delete("shortened").await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_a_view_fills_before_the_eyes_of_readers_and_says_so() -> Result<()> {
    let view = live_view("emptied", 1, KEYS, "SELECT id, amount FROM items").await?;
    let before = view.live_revision()?;
    view.patch(r#"{"spec":{"rollout":{"strategy":"InPlaceWithDowntime"},"replay":{"id":"no-room"}}}"#)?;
    view.wait_ready(LIMIT)?;
    ensure!(view.live_revision()? != before, "the replay made a new revision");
    let rows = database::psql("select count(*) from shop.emptied")?;
    ensure!(rows.trim() == KEYS.to_string(), "Ready means whole: {rows}");
    eventually("the revision before is gone", LIMIT, || {
        let revisions = database::psql("select count(*) from millrace.revision where view = 'emptied'")?;
        ensure!(revisions.trim() == "1", "found {revisions}");
        Ok(())
    })?;
    view.delete_with_its_table()?;
    topic::delete("emptied").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_fails_keeps_the_live_one_and_one_that_passes_lets_the_next_go() -> Result<()> {
    let view = live_view("gated", 1, KEYS, "SELECT id, amount FROM items").await?;
    let before = view.live_revision()?;
    let gates = |assertion: &str| {
        let gates = serde_json::json!({"assertions": [assertion], "comparison": "RequireEqual"});
        view.patch(&serde_json::json!({"spec": {"rollout": {"gates": gates}}}).to_string())
    };
    gates("select count(*) > 100000 from {next}")?;
    view.patch(r#"{"spec":{"replay":{"id":"gated"}}}"#)?;
    let said = view.wait_condition("Ready", "False", "GateFailed", 2 * LIMIT)?;
    ensure!(view.live_revision()? == before, "the live one stays: {said}");

    gates("select (select count(*) from {next}) >= (select count(*) from {live})")?;
    kubectl(&["-n", "shop", "annotate", "--overwrite", "mv", "gated", "millrace.dev/retry=now-it-passes"])?;
    view.wait_ready(LIMIT)?;
    ensure!(view.live_revision()? != before, "the replay is live");
    view.delete_with_its_table()?;
    topic::delete("gated").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_to_what_was_kept_current_swaps_within_seconds() -> Result<()> {
    let view = live_view("standby", 1, KEYS, "SELECT id, amount FROM items").await?;
    let before = view.live_revision()?;
    view.patch(r#"{"spec":{"rollout":{"keepPreviousCurrent":true,"retainPrevious":"1h"}}}"#)?;
    ask(&view, "SELECT id, amount, team AS 부서 FROM items")?;
    view.wait_ready(LIMIT)?;
    ensure!(view.live_revision()? != before, "the new query is live");
    eventually("the revision of before is kept current", LIMIT, || {
        let kept = view.get("{.status.previousRevision.keptCurrent}{' '}{.status.previousRevision.revision}")?;
        ensure!(kept == format!("true {before}"), "found {kept}");
        Ok(())
    })?;

    // What comes now reaches both.
    let producer = TestProducer::new()?;
    for key in 0..KEYS {
        let id = format!("새키-{key}");
        producer.send("standby", id.as_bytes(), Some(item(&id, "홍길동", key).as_bytes()))?;
    }
    producer.flush()?;
    eventually("both have read everything", LIMIT, || {
        let positions = "select string_agg(next_offset::text, ' ') from millrace.progress where view = 'standby'";
        let positions = database::psql(positions)?;
        ensure!(positions.trim() == format!("{0} {0}", 2 * KEYS), "found {positions}");
        Ok(())
    })?;

    kubectl(&["-n", "shop", "annotate", "--overwrite", "mv", "standby", "millrace.dev/rollback=it-was-wrong"])?;
    eventually("readers see the revision of before", Duration::from_secs(10), || {
        let live = database::psql("select live_revision from millrace.view where name = 'standby'")?;
        ensure!(live.trim() == before, "found {live}");
        Ok(())
    })?;
    let rows = database::psql("select count(*), count(\"부서\") from shop.standby")?;
    ensure!(rows.trim() == format!("{}|0", 2 * KEYS), "found {rows}");
    eventually("what was gone back from rests", LIMIT, || {
        let kept = view.get("{.status.previousRevision.keptCurrent}")?;
        ensure!(kept == "false", "found {kept}");
        Ok(())
    })?;
    view.delete_with_its_table()?;
    topic::delete("standby").await
}
