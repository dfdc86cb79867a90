//! 452,000 users while everything that can be killed is killed.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    chaos, continuity, database,
    reference::Reference,
    shell::{eventually, kubectl, run},
    topic, users,
    view::View,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::{Duration, Instant};

const STEPS: [&str; 6] = ["after_begin", "after_fence", "after_fetch", "after_rows", "before_commit", "after_commit"];

/// Waits until the live revision of the view stands at the topic's end.
async fn wait_drained(pool: &sqlx::PgPool, name: &str, topic: &str, limit: Duration) -> Result<()> {
    let start = Instant::now();
    loop {
        let ends = topic::ends(topic)?;
        let positions: Result<Vec<(i32, i64)>, _> = sqlx::query_as(
            "SELECT p.partition, p.next_offset FROM millrace.progress p JOIN millrace.view v
             ON v.namespace = p.namespace AND v.name = p.view AND v.live_revision = p.revision
             WHERE p.namespace = 'shop' AND p.view = $1 ORDER BY 1",
        )
        .bind(name)
        .fetch_all(pool)
        .await;
        if let Ok(positions) = &positions
            && positions.len() == ends.len()
            && positions.iter().zip(&ends).all(|((_, at), end)| at >= end)
        {
            return Ok(());
        }
        ensure!(start.elapsed() < limit, "{name} stands at {positions:?} after {limit:?}, the ends are {ends:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_under_kills_of_workers_a_node_and_postgres_ends_equal_to_the_reference() -> Result<()> {
    let pool = database::pool().await?;
    let views = [View::new("shop", "user-view"), View::new("shop", "department-stats")];
    for view in &views {
        kubectl(&["apply", "-f", &format!("examples/{}.yaml", view.name)])?;
        view.wait_ready(Duration::from_secs(180))?;
    }
    continuity::install(&pool).await?;
    let load = std::thread::spawn(|| run("cargo", &["xtask", "load", "--users", "452000", "--rate", "9000"]));

    let before: i64 = topic::ends("user-events")?.iter().sum();
    eventually("the load has begun", Duration::from_secs(300), || {
        let sent = topic::ends("user-events")?.iter().sum::<i64>() - before;
        ensure!(sent > 5_000 || load.is_finished(), "{sent} records so far");
        Ok(())
    })?;
    let mut random = StdRng::seed_from_u64(11);
    for round in 0..6 {
        let view = &views[round % 2];
        // A worker that started a moment ago may have no process to kill; another round will.
        chaos::kill_worker(view, random.random_range(0..100)).ok();
        tokio::time::sleep(Duration::from_millis(random.random_range(500..2_500))).await;
    }
    for (index, step) in STEPS.iter().enumerate() {
        let view = &views[index % 2];
        let deployment = format!("deployment/{}-{}", view.name, view.live_revision()?);
        kubectl(&["-n", "shop", "set", "env", &deployment, &format!("MILLRACE_FAULT={step}:3")])?;
        tokio::time::sleep(Duration::from_secs(6)).await;
        kubectl(&["-n", "shop", "set", "env", &deployment, "MILLRACE_FAULT-"])?;
    }
    let lost = chaos::spare_node()?;
    chaos::stop_node(&lost)?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    chaos::start_node(&lost)?;
    chaos::signal(&chaos::postgres_node()?, "KILL", "postgres")?;

    load.join().expect("the loader's thread does not panic")?;
    eventually("Postgres answers again", Duration::from_secs(120), || database::psql("select 1"))?;
    for view in &views {
        wait_drained(&pool, &view.name, "user-events", Duration::from_secs(300)).await?;
    }
    let steps = continuity::check(&pool).await?;
    ensure!(steps >= 20, "the load was committed in {steps} steps, too few to have met a fault");
    continuity::remove(&pool).await?;

    let records = topic::read_all("user-events")?;
    ensure!(records.len() >= 452_000, "{} records were sent", records.len());
    let reference = Reference::of(&records).await?;
    reference.compare(users::USER_VIEW, &pool, users::USER_VIEW_ROWS).await?;
    reference.compare(users::DEPARTMENT_STATS, &pool, users::DEPARTMENT_STATS_ROWS).await?;
    Ok(())
}
