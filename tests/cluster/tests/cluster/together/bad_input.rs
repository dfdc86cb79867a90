//! What users and producers get wrong: bad queries, missing parts, records that cannot be applied, lost topics.

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

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_query_says_where_and_what_and_the_live_revision_stays() -> Result<()> {
    let view = View::new("shop", "mended");
    view.delete_with_its_table()?;
    apply(&table_view("mended", "mended", 3, "SELECT id, amaunt FROM items"))?;
    let message = view.wait_condition("QueryValid", "False", "InvalidQuery", MINUTE)?;
    ensure!(message.contains("line 1, column 12") && message.contains("amaunt"), "found {message}");
    let pods = view.pods()?;
    ensure!(pods.is_empty(), "a bad query reached pods {pods:?}");

    apply(&table_view("mended", "mended", 3, "SELECT id, amount FROM items"))?;
    view.wait_ready(Duration::from_secs(120))?;
    let live = view.live_revision()?;
    apply(&table_view("mended", "mended", 3, "SELECT id, amount FROM items JOIN items AS b USING (id)"))?;
    view.wait_condition("QueryValid", "False", "InvalidQuery", MINUTE)?;
    ensure!(view.live_revision()? == live && view.condition("Available")?.0 == "True", "readers are served");
    view.delete_with_its_table()?;
    topic::delete("mended").await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_applied_are_dead_letters_and_the_others_go_on() -> Result<()> {
    let view = View::new("shop", "dirty");
    view.delete_with_its_table()?;
    topic::delete("dirty").await?;
    apply(&table_view("dirty", "dirty", 2, "SELECT id, team, 1000 / amount AS share FROM items"))?;
    view.wait_ready(Duration::from_secs(120))?;
    let producer = TestProducer::new()?;
    // A repeated letter would be compressed into the index.
    let mut state = 1_u64;
    let long: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from_u32(0xAC00 + (state >> 33) as u32 % 11_000).unwrap_or('긴')
    })
    .take(4_000)
    .collect();
    for (key, value) in [
        ("good", item("good", "개발", 10)),
        ("zero", item("zero", "개발", 0)),
        ("nul", r#"{"id":"nul","부서":"a\u0000b","amount":1}"#.to_owned()),
        ("text", r#"{"id":"text","부서":"x","amount":"많음"}"#.to_owned()),
        ("other", item("mismatch", "x", 1)),
        ("broken", "{".to_owned()),
        (long.as_str(), item(&long, "x", 1)),
        ("last", item("last", "영업", 20)),
    ] {
        producer.send("dirty", key.as_bytes(), Some(value.as_bytes()))?;
    }
    producer.flush()?;
    eventually("both good rows are there and six dead letters", MINUTE, || {
        let rows = database::psql("select string_agg(id || '=' || share, ',' order by id) from shop.dirty")?;
        ensure!(rows.trim() == "good=100,last=50", "rows are {rows}");
        let letters = database::psql("select count(*) from millrace.dead_letter where view = 'dirty'")?;
        ensure!(letters.trim() == "6", "dead letters are {letters}");
        Ok(())
    })?;
    let zero = database::psql("select detail from millrace.dead_letter where view = 'dirty' and key = 'zero'")?;
    ensure!(zero.contains("division by zero"), "found {zero}");
    view.delete_with_its_table()?;
    topic::delete("dirty").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_named_and_heals_and_a_recreated_one_stops_the_view() -> Result<()> {
    let view = View::new("shop", "late");
    view.delete_with_its_table()?;
    topic::delete("late-events").await?;
    let manifest = table_view("late", "late-events", 3, "SELECT id, amount FROM items");
    let without = manifest.lines().filter(|line| !line.contains("ensureTopic")).collect::<Vec<_>>().join("\n");
    apply(&without)?;
    let message = view.wait_condition("SourcesReady", "False", "TopicMissing", MINUTE)?;
    ensure!(message.contains("late-events"), "found {message}");
    topic::create("late-events", 3).await?;
    view.wait_ready(Duration::from_secs(120))?;
    let producer = TestProducer::new()?;
    producer.send("late-events", b"a", Some(item("a", "x", 1).as_bytes()))?;
    producer.flush()?;
    eventually("the row is there", MINUTE, || {
        let rows = database::psql("select count(*) from shop.late")?;
        ensure!(rows.trim() == "1", "found {rows}");
        Ok(())
    })?;
    topic::delete("late-events").await?;
    topic::create("late-events", 3).await?;
    view.wait_condition("SourcesReady", "False", "TopicRecreated", Duration::from_secs(120))?;
    ensure!(database::psql("select count(*) from shop.late")?.trim() == "1", "readers are served as before");
    view.patch(r#"{"spec":{"replay":{"id":"new-topic","from":{"earliest":{}}}}}"#)?;
    view.wait_ready(Duration::from_secs(180))?;
    ensure!(database::psql("select count(*) from shop.late")?.trim() == "0", "the new topic is empty");
    view.delete_with_its_table()?;
    topic::delete("late-events").await
}
