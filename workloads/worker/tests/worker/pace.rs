//! Epochs that take long: they get smaller, hold nobody up, and are not waited for by whoever comes next.

use crate::common::Scene;
use millrace_connectors::kafka::partition_of;
use millrace_test_support::plans;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn user(name: &str) -> (String, Option<String>) {
    ("7".into(), Some(format!(r#"{{"user":{{"id":7,"name":"{name}"}}}}"#)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_takes_too_long_is_tried_again_in_smaller_ones() {
    let mut scene = Scene::new(plans::append, 1).await;
    // As a statement that runs into its timeout, without the wait.
    let schema = &scene.stored.schema;
    scene
        .execute(&format!(
            "CREATE FUNCTION public.too_slow() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF (SELECT count(*) FROM written) > 100 THEN RAISE SQLSTATE '57014'; END IF;
                 RETURN NULL;
             END $$;
             CREATE TRIGGER too_slow AFTER INSERT ON \"{schema}\".rows REFERENCING NEW TABLE AS written
             FOR EACH STATEMENT EXECUTE FUNCTION public.too_slow()"
        ))
        .await;
    scene.produce(&vec![user("홍길동"); 1_000]).await;
    let _worker = scene.worker("user-view-0");
    scene.caught_up().await;
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_ends_soon_after_its_worker_does() {
    let mut scene = Scene::new(plans::append, 1).await;
    let schema = scene.stored.schema.clone();
    scene
        .execute(&format!(
            "CREATE TABLE public.slow AS SELECT true AS slow;
             CREATE FUNCTION public.sleep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
             BEGIN IF (SELECT slow FROM public.slow) THEN PERFORM pg_sleep(60); END IF; RETURN NULL; END $$;
             CREATE TRIGGER sleep AFTER INSERT ON \"{schema}\".rows
             FOR EACH STATEMENT EXECUTE FUNCTION public.sleep()"
        ))
        .await;
    scene.produce(&[user("홍길동")]).await;
    let worker = scene.worker("user-view-0");
    let rows = format!("\"{schema}\".rows");
    let runs =
        format!("SELECT count(*) > 0 FROM pg_locks WHERE relation = '{rows}'::regclass AND mode = 'RowExclusiveLock'");
    scene.until("the statement runs", &runs, PATIENCE).await;
    worker.kill();
    scene.execute("UPDATE public.slow SET slow = false").await;
    let killed = Instant::now();
    let _successor = scene.worker("user-view-0");
    scene.caught_up_within(Duration::from_secs(8)).await;
    eprintln!("went on {:?} after kill -9", killed.elapsed());
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_refused_records_are_looked_for_leases_are_kept_and_an_end_is_heard() {
    let mut scene = Scene::new(plans::append, 6).await;
    scene.execute(&format!("ALTER TABLE \"{}\".rows ADD CHECK (name <> 'refused')", scene.stored.schema)).await;
    let mut workers = vec![scene.worker("user-view-0"), scene.worker("user-view-1")];
    let even = "SELECT bool_and(tasks = 3) AND count(*) = 2
                FROM (SELECT count(*) AS tasks FROM millrace.progress WHERE holder IS NOT NULL GROUP BY holder) AS held";
    scene.until("the tasks are shared evenly", even, PATIENCE).await;
    let owners = "SELECT partition, owner FROM millrace.progress ORDER BY partition";
    let before: Vec<(i32, i64)> = scene.query(owners).await;

    let partition = partition_of(b"7", 6);
    scene.produce(&vec![user("refused"); 10_000]).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    let position = scene.positions().await[&partition];
    assert!(position < 10_000, "all was done within one lease: nothing is shown");
    assert_eq!(scene.query::<(i32, i64)>(owners).await, before, "the other tasks' leases were kept");

    let holder = format!("SELECT holder FROM millrace.progress WHERE partition = {partition}");
    let holder: Vec<(String,)> = scene.query(&holder).await;
    let mut worker = workers.remove(usize::from(holder[0].0 == "user-view-1"));
    worker.signal(libc::SIGTERM);
    let status = worker.wait(Duration::from_secs(5)).expect("the worker ends when it is told to");
    assert!(status.success(), "{status}");
    let free: Vec<(bool,)> =
        scene.query(&format!("SELECT holder IS DISTINCT FROM '{}' FROM millrace.progress", holder[0].0)).await;
    assert!(free.iter().all(|(free,)| *free), "what it held was given back");
}
