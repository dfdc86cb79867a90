//! 452,000 users while everything that can be killed is killed.

use anyhow::{Result, bail, ensure};
use millrace_cluster_tests::{
    chaos, continuity, database,
    reference::Reference,
    shell::{eventually, kubectl, run},
    topic, users,
    view::View,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::Duration;

const TOPIC: &str = "user-events";
const USERS: i64 = 452_000;
/// Records a second. A load of more than three minutes is still on its way when the last fault comes.
const RATE: &str = "2400";
const KILLS: usize = 6;
/// Where workers end, two steps at a time: one of user-view and one of department-stats, which has state to fetch.
/// `after_locks` is for keys that lie in several partitions, of which this topic has none.
const FAULTS: [[&str; 2]; 4] = [
    ["after_begin:3", "after_fence:3"],
    ["after_rows:3", "after_fetch:3"],
    ["after_dead_letters:3", "before_commit:3"],
    ["after_claim:1", "after_commit:3"],
];
/// Another answer is another server process.
const STARTED: &str = "select pg_postmaster_start_time()";

#[tokio::test(flavor = "multi_thread")]
async fn a_load_under_kills_of_workers_a_node_and_postgres_ends_equal_to_the_reference() -> Result<()> {
    let pool = database::pool().await?;
    let views = [View::new("shop", "user-view"), View::new("shop", "department-stats")];
    for view in &views {
        kubectl(&["apply", "-f", &format!("examples/{}.yaml", view.name)])?;
        view.wait_ready(Duration::from_secs(180))?;
    }
    continuity::install(&pool).await?;
    let sent_before: i64 = topic::ends(TOPIC)?.iter().sum();
    let sent = || -> Result<i64> { Ok(topic::ends(TOPIC)?.iter().sum::<i64>() - sent_before) };
    let count = USERS.to_string();
    let load = std::thread::spawn(move || run("cargo", &["xtask", "load", "--users", &count, "--rate", RATE]));
    eventually("the load has begun", Duration::from_secs(300), || {
        let sent = sent()?;
        ensure!(sent > 5_000 || load.is_finished(), "{sent} records so far");
        Ok(())
    })?;
    if load.is_finished() {
        bail!("the load has ended at once: {:?}", load.join());
    }
    // Every user has a record, and some have more.
    let under_load = |what: &str| -> Result<()> {
        // A broker that goes or comes may take the first answer with it.
        let sent = eventually("the brokers say how many records there are", Duration::from_secs(60), sent)?;
        ensure!(sent < USERS, "{what}: {sent} records were sent before, so it was under no load; lower its rate");
        Ok(())
    };

    let mut random = StdRng::seed_from_u64(11);
    let mut missed = Vec::new();
    for round in 0..KILLS {
        let view = &views[round % 2];
        // A worker that started a moment ago may have no process to kill; another round will.
        if let Err(error) = chaos::kill_worker(view, random.random_range(0..100)) {
            missed.push(format!("{error:#}"));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_500))).await;
    }
    ensure!(missed.len() <= KILLS / 2, "{} of {KILLS} kills hit no worker: {missed:?}", missed.len());

    under_load("Postgres is killed")?;
    let started = database::psql(STARTED)?;
    chaos::signal(&chaos::postgres_node()?, "KILL", "postgres")?;

    let lost = chaos::spare_node()?;
    under_load("a node is stopped")?;
    chaos::stop_node(&lost)?;
    let back = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(8));
        chaos::start_node(&lost)
    });

    for faults in FAULTS {
        under_load("workers end at their faults")?;
        for (view, fault) in views.iter().zip(faults) {
            chaos::set_fault(view, Some(fault))?;
        }
        for (view, fault) in views.iter().zip(faults) {
            let what = format!("a worker of {} has ended at {fault}", view.name);
            eventually(&what, Duration::from_secs(90), || chaos::ended_at(view, fault))?;
        }
    }
    for view in &views {
        chaos::set_fault(view, None)?;
    }

    back.join().expect("the node's thread does not panic")?;

    load.join().expect("the loader's thread does not panic")?;
    let started_again = eventually("Postgres answers", Duration::from_secs(120), || database::psql(STARTED))?;
    ensure!(started_again != started, "Postgres runs since {started}: nobody has killed it");
    for view in &views {
        database::wait_drained(&pool, &view.name, TOPIC, Duration::from_secs(300)).await?;
    }
    let steps = continuity::check(&pool).await?;
    ensure!(steps >= 20, "the load was committed in {steps} steps, too few to have met a fault");
    continuity::remove(&pool).await?;

    let records = topic::read_all(TOPIC)?;
    ensure!(records.len() as i64 >= USERS, "{} records were sent", records.len());
    let reference = Reference::of(&records).await?;
    reference.compare(users::USER_VIEW, &pool, users::USER_VIEW_ROWS).await?;
    reference.compare(users::DEPARTMENT_STATS, &pool, users::DEPARTMENT_STATS_ROWS).await?;
    Ok(())
}
