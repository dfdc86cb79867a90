//! Workers, Postgres and the network ended at the worst moments: every record still counts once.

use crate::common::Scene;
use millrace_contract::faults::STEPS;
use millrace_test_support::{TemporaryPostgres, plans};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_at_every_step_of_a_transaction_goes_on_where_postgres_says() {
    let mut random = ChaCha8Rng::seed_from_u64(rand::rng().next_u64());
    let mut scene = Scene::new(plans::table_totals, 3).await;
    scene.execute("UPDATE millrace.progress SET shared = true").await;
    scene.produce_history(&mut random, 1_000).await;
    for step in STEPS {
        for pass in [1, 2] {
            let mut worker = scene.worker_with("user-view-0", &[("MILLRACE_FAULT", &format!("{step}:{pass}"))]);
            // Something to do for as many epochs as it takes.
            let mut ended = None;
            for _ in 0..100 {
                scene.produce_history(&mut random, 20).await;
                ended = worker.wait(Duration::from_millis(100));
                if ended.is_some() || (*step == "after_claim" && pass == 2) {
                    break;
                }
            }
            assert!(ended.is_some() || *step == "after_claim", "the step {step} was not reached {pass} times");
        }
    }
    let _worker = scene.worker("user-view-0");
    scene.caught_up().await;
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_at_random_lose_nothing_and_repeat_nothing() {
    let seed = rand::rng().next_u64();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut scene = Scene::new(plans::table_totals, 6).await;
    let mut workers: Vec<Option<crate::common::Process>> =
        (0..3).map(|n| Some(scene.worker(&format!("user-view-{n}")))).collect();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        scene.produce_history(&mut random, 300).await;
        if random.random_bool(0.5) {
            let index = random.random_range(0..workers.len());
            match workers[index].take() {
                Some(worker) => worker.kill(),
                None => workers[index] = Some(scene.worker(&format!("user-view-{index}"))),
            }
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
    }
    drop(workers);
    let _last = scene.worker("user-view-9");
    scene.caught_up().await;
    scene.assert_exact().await;
    eprintln!("seed {seed}: {} records", scene.records.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_another_worker_goes_on_within_ten_seconds() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut scene = Scene::new(plans::upsert, 6).await;
    let one = scene.worker("user-view-0");
    let _two = scene.worker("user-view-1");
    scene
        .until("both hold tasks", "SELECT count(DISTINCT holder) = 2 FROM millrace.progress", Duration::from_secs(15))
        .await;
    scene.produce_history(&mut random, 500).await;
    scene.caught_up().await;
    one.kill();
    let killed = Instant::now();
    scene.produce_history(&mut random, 500).await;
    scene.caught_up_within(Duration::from_secs(10)).await;
    eprintln!("went on {:?} after kill -9", killed.elapsed());
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_is_replaced_and_changes_nothing_when_it_wakes() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut scene = Scene::new(plans::table_totals, 2).await;
    let zombie = scene.worker("user-view-0");
    scene.produce_history(&mut random, 500).await;
    scene.caught_up().await;
    // Stopped at any moment, most likely inside a transaction.
    for _ in 0..10 {
        scene.produce_history(&mut random, 50).await;
    }
    zombie.signal(libc::SIGSTOP);
    let stopped = Instant::now();
    let _successor = scene.worker("user-view-1");
    scene.produce_history(&mut random, 500).await;
    scene.caught_up_within(Duration::from_secs(15)).await;
    eprintln!("went on {:?} after SIGSTOP", stopped.elapsed());
    scene.assert_exact().await;
    zombie.signal(libc::SIGCONT);
    for _ in 0..10 {
        scene.produce_history(&mut random, 100).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    scene.caught_up().await;
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_inside_its_transaction_blocks_nobody_for_long() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut scene = Scene::new(plans::table_totals, 2).await;
    let sleeper = scene.worker("user-view-0");
    scene.produce_history(&mut random, 200).await;
    scene.caught_up().await;
    // An epoch that waits for us holds its locks: there it is stopped.
    let mut owner = scene.stored.owner().await;
    let mut transaction = sqlx::Connection::begin(&mut owner).await.expect("begun");
    let sql = format!("LOCK TABLE \"{}\".rows IN SHARE MODE", scene.stored.schema);
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.expect("locked");
    scene.produce_history(&mut random, 200).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    sleeper.signal(libc::SIGSTOP);
    let stopped = Instant::now();
    transaction.rollback().await.expect("rolled back");
    let _successor = scene.worker("user-view-1");
    scene.caught_up_within(Duration::from_secs(15)).await;
    eprintln!("went on {:?} after SIGSTOP inside a transaction", stopped.elapsed());
    scene.assert_exact().await;
    sleeper.signal(libc::SIGCONT);
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_with_minus_nine_takes_nothing_with_it() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut postgres = tokio::task::spawn_blocking(TemporaryPostgres::start).await.expect("postgres starts");
    let database = postgres.new_owned_database().await;
    let mut scene = Scene::in_database(database, plans::table_totals, 4).await;
    // The building revision commits without waiting for the disk: what is lost is read again.
    let _workers = [scene.worker("user-view-0"), scene.worker("user-view-1")];
    for round in 0..4 {
        for _ in 0..10 {
            scene.produce_history(&mut random, 200).await;
        }
        postgres.kill();
        scene.produce_history(&mut random, 200).await;
        postgres = tokio::task::spawn_blocking(move || {
            postgres.restart();
            postgres
        })
        .await
        .expect("postgres is back");
        if round == 2 {
            scene.stored.go_live().await;
        }
        scene.caught_up().await;
        assert_eq!(
            scene.stored.rows().await,
            crate::common::recomputed(&scene.stored.plan, &scene.records),
            "round {round}"
        );
    }
}
