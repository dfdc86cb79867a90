//! A replay by `kubectl patch` that readers never notice.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    database,
    reader::{Mode, Readers, require_calm},
    reference::Reference,
    shell::{eventually, kubectl},
    topic, users,
    view::View,
};
use std::time::{Duration, SystemTime};

#[tokio::test(flavor = "multi_thread")]
async fn readers_notice_nothing_of_a_replay_and_its_id_acts_once() -> Result<()> {
    kubectl(&["apply", "-f", "examples/user-view.yaml"])?;
    let view = View::new("shop", "user-view");
    view.wait_ready(Duration::from_secs(180))?;
    let pool = database::pool().await?;
    let before = view.live_revision()?;
    let id = format!("bugfix-{}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs());

    let count = "SELECT count(*) FROM shop.user_view".to_owned();
    let sum = "SELECT count(*), coalesce(sum(id), 0)::bigint FROM shop.user_view".to_owned();
    let exists = "SELECT (SELECT live_revision IS NOT NULL FROM millrace.view WHERE name = 'user-view')::int::bigint,
        count(*) FROM (SELECT FROM shop.user_view LIMIT 100) AS sample"
        .to_owned();
    let readers = Readers::start(
        &pool,
        &[
            (Mode::ReadCommitted, count),
            (Mode::RepeatableRead, sum),
            (Mode::ReadCommitted, exists.clone()),
            (Mode::ReadCommitted, exists),
        ],
    );
    view.patch(&format!(r#"{{"spec":{{"replay":{{"id":"{id}","from":{{"earliest":{{}}}}}}}}}}"#))?;
    // Ready turns false with the patch, so that waiting right after it cannot return early.
    view.wait_ready(Duration::from_secs(600))?;
    let after = view.live_revision()?;
    ensure!(after != before, "revision {before} is still live although Ready is true");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let seen = readers.finish().await?;
    let micros: i64 = sqlx::query_scalar(
        "SELECT (extract(epoch FROM cut_over_at) * 1000000)::bigint FROM millrace.view WHERE name = 'user-view'",
    )
    .fetch_one(&pool)
    .await?;
    require_calm(&seen, 1_000, SystemTime::UNIX_EPOCH + Duration::from_micros(micros as u64))?;
    let reference = Reference::of(&topic::read_all("user-events")?).await?;
    reference.compare(users::USER_VIEW, &pool, users::USER_VIEW_ROWS).await?;

    // The old manifest comes back, then the same id again: neither does anything.
    view.patch(r#"{"spec":{"replay":null}}"#)?;
    view.patch(&format!(r#"{{"spec":{{"replay":{{"id":"{id}","from":{{"earliest":{{}}}}}}}}}}"#))?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    ensure!(view.live_revision()? == after, "an id acted twice");
    view.wait_ready(Duration::from_secs(30))?;
    eventually("the name shows one revision again", Duration::from_secs(120), || {
        let shown = database::psql("select shown from millrace.view where name = 'user-view'")?;
        ensure!(shown.trim() == format!("plain:{after}"), "it shows {shown}");
        Ok(())
    })
}
