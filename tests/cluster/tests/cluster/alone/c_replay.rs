//! A replay by `kubectl patch` that readers never notice, although the operator that leads is killed all the time.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    chaos::{self, Storm},
    dashboard, database,
    reader::{Mode, Reader, Readers, require_calm},
    reference::Reference,
    shell::{eventually, kubectl},
    swap::Lookout,
    topic::{self, TestProducer},
    users,
    view::View,
};
use rand::{SeedableRng, rngs::StdRng};
use std::time::{Duration, Instant, SystemTime};

/// A user whom nobody else makes: the loader's ids begin above, those of the service stay far below.
const WATCHED: i64 = 999_999;

/// How long the longest query of a reader takes.
const LONG_SECONDS: u64 = 10;
const STORM: Duration = Duration::from_secs(40);

/// Has the view show the user that readers look for.
fn make_watched_user() -> Result<()> {
    let producer = TestProducer::new()?;
    let user = users::upsert(&mut StdRng::seed_from_u64(1), WATCHED, "USER_CREATED");
    producer.send("user-events", WATCHED.to_string().as_bytes(), Some(user.as_bytes()))?;
    producer.flush()?;
    eventually("the user that is looked for is there", Duration::from_secs(60), || {
        let rows = database::psql(&format!("select count(*) from shop.user_view where id = {WATCHED}"))?;
        ensure!(rows.trim() == "1", "found {rows}");
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_notice_nothing_of_a_replay_and_its_id_acts_once() -> Result<()> {
    kubectl(&["apply", "-f", "examples/user-view.yaml"])?;
    let view = View::new("shop", "user-view");
    view.wait_ready(Duration::from_secs(180))?;
    make_watched_user()?;
    let pool = database::pool().await?;
    let as_dashboard = dashboard::let_in(&view, "shop.user_view").await?;
    let before = view.live_revision()?;
    let id = format!("bugfix-{}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs());

    let count = "SELECT count(*) FROM shop.user_view";
    let sum = "SELECT count(*), coalesce(sum(id), 0)::bigint FROM shop.user_view";
    let sample = "SELECT (SELECT live_revision IS NOT NULL FROM millrace.view WHERE name = 'user-view')::int::bigint,
        count(*) FROM (SELECT FROM shop.user_view LIMIT 100) AS sample";
    // Cheap, so that it can be asked without pause. Without the row it is a gap; with two, both revisions are shown.
    let one = format!("SELECT count(*) FROM shop.user_view WHERE id = {WATCHED}");
    let each = |pause, query: &str| Reader {
        pool: pool.clone(),
        mode: Mode::ReadCommitted { pause: Duration::from_millis(pause) },
        query: query.to_owned(),
    };
    // It holds the name open, as a report does: the switch has to wait for it, and nobody waits behind the switch.
    let long = format!("SELECT count(*), (SELECT 0::bigint FROM pg_sleep({LONG_SECONDS})) FROM shop.user_view");
    let lookout = Lookout::begin(&pool, &view);
    let readers = Readers::start(vec![
        // Those who count everything leave the cores to the others for a while.
        each(100, count),
        Reader { pool: pool.clone(), mode: Mode::RepeatableRead, query: sum.to_owned() },
        each(1, sample),
        each(1, sample),
        each(0, &one),
        Reader { pool: as_dashboard, ..each(0, &one) },
        each(10, &one),
        each(5_000, &long),
    ]);
    // For as long as a revision of so many users is built; an operator has some seconds of peace then.
    let until = Instant::now() + STORM;
    let storm = Storm::begin(Duration::from_secs(3), move || {
        ensure!(Instant::now() < until, "it is over");
        chaos::kill_leader()
    });
    view.patch(&format!(r#"{{"spec":{{"replay":{{"id":"{id}","from":{{"earliest":{{}}}}}}}}}}"#))?;
    // Ready turns false with the patch, so that waiting right after it cannot return early.
    view.wait_ready(Duration::from_secs(600))?;
    let kills = storm.end()?;
    ensure!(kills > 1, "the operator was killed {kills} times");
    let after = view.live_revision()?;
    ensure!(after != before, "revision {before} is still live although Ready is true");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let seen = readers.finish().await?;
    require_calm(&seen, 1_000, &lookout.end().await?)?;
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
    })?;
    dashboard::send_away(&view, "shop.user_view")
}
