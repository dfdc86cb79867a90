//! A replay by `kubectl patch` that readers never notice, although the operator that leads is killed all the time.

use anyhow::{Result, bail, ensure};
use millrace_cluster_tests::{
    chaos::{self, Storm},
    dashboard, database,
    reader::{Readers, require_calm, require_polls_near},
    reference::Reference,
    shell::{eventually, kubectl},
    spectators,
    swap::Lookout,
    topic, users,
    view::View,
};
use sqlx::PgPool;
use std::time::{Duration, Instant, SystemTime};

/// How long the longest query of a reader takes.
const LONG_SECONDS: u64 = 10;
const STORM: Duration = Duration::from_secs(40);
/// On a machine that is busy with something else for a moment nobody looks at the very moment of a swap.
const CLOSER_LOOKS: usize = 6;

/// Goes back to the revision before and forward again, until readers have polled within 10 ms on both sides of a swap.
async fn look_closer(view: &View, pool: &PgPool, as_dashboard: &PgPool) -> Result<()> {
    let newest = view.live_revision()?;
    let mut looks = Vec::new();
    let mut close = false;
    for number in 0..CLOSER_LOOKS {
        let before = view.live_revision()?;
        let lookout = Lookout::begin(pool, view);
        let readers = Readers::start(spectators::of_users(view, pool, as_dashboard, 1));
        let verb = if before == newest { "rollback" } else { "retry" };
        view.annotate(&format!("millrace.dev/{verb}=look-{before}-{number}"))?;
        eventually("the other revision is live", Duration::from_secs(120), || {
            ensure!(view.live_revision()? != before, "revision {before} is live");
            Ok(())
        })?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (seen, swap) = (readers.finish().await?, lookout.end().await?);
        require_calm(&seen, 100)?;
        match require_polls_near(&seen, &swap) {
            Ok(()) => close = true,
            Err(error) => looks.push(error.to_string()),
        }
        if close && view.live_revision()? == newest {
            return view.wait_ready(Duration::from_secs(120));
        }
    }
    bail!("none of {CLOSER_LOOKS} swaps was looked at closely: {looks:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_notice_nothing_of_a_replay_and_its_id_acts_once() -> Result<()> {
    kubectl(&["apply", "-f", "examples/user-view.yaml"])?;
    let view = View::new("shop", "user-view");
    view.wait_ready(Duration::from_secs(180))?;
    spectators::make_watched_user(&view, "user-events")?;
    let pool = database::pool().await?;
    let as_dashboard = dashboard::let_in(&view, "shop.user_view").await?;
    let before = view.live_revision()?;
    let id = format!("bugfix-{}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs());

    let lookout = Lookout::begin(&pool, &view);
    let readers = Readers::start(spectators::of_users(&view, &pool, &as_dashboard, LONG_SECONDS));
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
    require_calm(&seen, 1_000)?;
    if require_polls_near(&seen, &lookout.end().await?).is_err() {
        look_closer(&view, &pool, &as_dashboard).await?;
    }
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
