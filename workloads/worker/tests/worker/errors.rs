//! Records that cannot be applied, and what each policy makes of them.

use crate::common::Scene;
use millrace_test_support::{TemporaryKafka, TemporaryPostgres, plans};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn user(id: i32) -> (String, Option<String>) {
    (id.to_string(), Some(format!(r#"{{"user":{{"id":{id},"name":"홍길동"}}}}"#)))
}

async fn letters(scene: &Scene) -> Vec<(String, String, Option<Vec<u8>>, Option<Vec<u8>>)> {
    scene.query("SELECT reason, detail, key, value FROM millrace.dead_letter ORDER BY reason, \"offset\"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_records_become_dead_letters_and_the_others_arrive() {
    let mut scene = Scene::new(plans::upsert, 1).await;
    let mut lines: Vec<_> = (0..100).map(user).collect();
    lines.insert(50, ("7".into(), Some("{\"user\":{\"id\":7".into())));
    lines.insert(60, ("8".into(), Some(r#"{"user":{"id":9}}"#.into())));
    lines.insert(70, ("10".into(), Some(r#"{"user":{"id":10,"name":"a\u0000b"}}"#.into())));
    scene.produce(&lines).await;
    let _worker = scene.worker("user-view-0");
    scene.caught_up().await;
    assert_eq!(scene.stored.rows().await.len(), 100);
    let found = letters(&scene).await;
    let reasons: Vec<&str> = found.iter().map(|(reason, ..)| reason.as_str()).collect();
    assert_eq!(reasons, ["Decode", "Decode", "KeyMismatch"]);
    assert_eq!(found[0].2.as_deref(), Some(&b"7"[..]));
    assert_eq!(found[0].3.as_deref(), Some(&b"{\"user\":{\"id\":7"[..]));
    assert!(found[1].1.contains("column name"), "{}", found[1].1);
    assert!(found[2].1.contains("key column id"), "{}", found[2].1);
    scene.assert_continuous().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_postgres_refuses_is_found_among_many() {
    let mut scene = Scene::new(plans::append, 2).await;
    scene.execute(&format!("CREATE INDEX ON \"{}\".rows (name)", scene.stored.schema)).await;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let name: String = (0..12_000).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect();
    let mut lines: Vec<_> = (0..700).map(user).collect();
    for place in [13, 14, 400] {
        lines.insert(place, (place.to_string(), Some(format!(r#"{{"user":{{"id":1,"name":"{name}"}}}}"#))));
    }
    scene.produce(&lines).await;
    let _worker = scene.worker("user-view-0");
    scene.caught_up().await;
    assert_eq!(scene.stored.rows().await.len(), 700);
    let found = letters(&scene).await;
    assert_eq!(found.len(), 3);
    for (reason, detail, ..) in &found {
        assert_eq!(reason, "Refused");
        assert!(detail.contains("SQLSTATE 54000"), "{detail}");
    }
    scene.assert_continuous().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_time_that_postgres_does_not_have_is_applied() {
    let brokers = TemporaryKafka::shared().await;
    let any_time = ("message.timestamp.after.max.ms", "9223372036854775807");
    brokers.create_topic("users-of-any-time", 1, &[any_time]).await;
    let database = TemporaryPostgres::owned_database().await;
    let mut scene = Scene::over(brokers, database, plans::upsert, "users-of-any-time".into()).await;
    scene.produce(&[user(1)]).await;
    scene.produce_from(9_300_000_000_000_000, &[user(2)]).await;
    scene.produce(&[user(3)]).await;
    let _worker = scene.worker("user-view-0");
    scene.caught_up().await;
    scene.assert_exact().await;
    let newest = scene.records[2].timestamp;
    let seen = "SELECT (extract(epoch FROM event_time) * 1000)::bigint FROM millrace.progress";
    assert_eq!(scene.query::<(i64,)>(seen).await, [(newest,)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn skipped_records_are_counted_only() {
    let mut scene = Scene::new(plans::upsert, 1).await;
    scene.execute("UPDATE millrace.revision SET errors_policy = 'Skip'").await;
    scene.produce(&[user(1), ("2".into(), Some("[".into())), user(3)]).await;
    let _worker = scene.worker("user-view-0");
    scene.caught_up().await;
    assert_eq!(scene.stored.rows().await.len(), 2);
    assert!(letters(&scene).await.is_empty());
    let bytes: usize =
        scene.records.iter().map(|record| record.key.len() + record.value.as_ref().map_or(0, String::len)).sum();
    let counted: Vec<(i64, i64, i64)> = scene.query("SELECT records, dead_letters, bytes FROM millrace.progress").await;
    assert_eq!(counted, [(3, 1, bytes as i64)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_stop_stands_still_before_the_record_and_goes_on_when_it_is_lifted() {
    let mut scene = Scene::new(plans::upsert, 1).await;
    scene.execute("UPDATE millrace.revision SET errors_policy = 'Stop'").await;
    scene.produce(&[user(1), user(2), ("3".into(), Some("[".into())), user(4)]).await;
    let worker = scene.worker("user-view-0");
    scene
        .until("the task stands still", "SELECT problem LIKE 'ErrorsStopped:%' FROM millrace.progress", PATIENCE)
        .await;
    let at: Vec<(i64, String)> = scene.query("SELECT next_offset, problem FROM millrace.progress").await;
    assert_eq!(at[0].0, 2);
    assert!(at[0].1.contains("at offset 2") && at[0].1.contains("errors.policy"), "{}", at[0].1);
    assert_eq!(worker.get("/healthz").map(|(status, _)| status), Some(200));
    scene.execute("UPDATE millrace.revision SET errors_policy = 'DeadLetter'").await;
    scene.caught_up().await;
    scene.until("the problem is gone", "SELECT problem IS NULL FROM millrace.progress", PATIENCE).await;
    assert_eq!(scene.stored.rows().await.len(), 3);
    assert_eq!(letters(&scene).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_stop_says_why_whatever_bytes_the_record_has() {
    let mut scene = Scene::new(plans::upsert, 1).await;
    scene.execute("UPDATE millrace.revision SET errors_policy = 'Stop'").await;
    let (_, value) = user(0);
    scene.produce(&[user(1), ("0\0".into(), value)]).await;
    let _worker = scene.worker("user-view-0");
    scene
        .until("the task stands still", "SELECT problem LIKE 'ErrorsStopped:%' FROM millrace.progress", PATIENCE)
        .await;
    assert_eq!(scene.positions().await[&0], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_task_leaves_out_is_its_lag() {
    let mut scene = Scene::new(plans::upsert, 1).await;
    scene.execute("UPDATE millrace.revision SET errors_policy = 'Stop'").await;
    let mut lines: Vec<_> = (0..200).map(user).collect();
    lines[100].1 = Some("[".into());
    scene.produce(&lines).await;
    let _worker = scene.worker("user-view-0");
    scene
        .until("the task stands still", "SELECT problem LIKE 'ErrorsStopped:%' FROM millrace.progress", PATIENCE)
        .await;
    let at: Vec<(i64, Option<i64>)> = scene.query("SELECT next_offset, lag_records FROM millrace.progress").await;
    assert_eq!(at, [(100, Some(100))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_dead_letters_stop_the_view() {
    let mut scene = Scene::new(plans::upsert, 2).await;
    scene.execute("UPDATE millrace.revision SET errors_stop_above = 100").await;
    let bad = |id: i32| (id.to_string(), Some("[".to_owned()));
    scene.produce(&(0..2_000).map(|id| if id % 20 == 0 { bad(id) } else { user(id) }).collect::<Vec<_>>()).await;
    let _worker = scene.worker("user-view-0");
    scene
        .until(
            "every task stands still",
            "SELECT bool_and(problem LIKE 'ErrorsStopped:%') FROM millrace.progress",
            PATIENCE,
        )
        .await;
    let problems: Vec<(String,)> = scene.query("SELECT problem FROM millrace.progress").await;
    assert!(problems[0].0.contains("errors.stopAbove"), "{}", problems[0].0);
    scene.execute("UPDATE millrace.revision SET errors_stop_above = NULL").await;
    scene.until("it goes on", "SELECT bool_and(problem IS NULL) FROM millrace.progress", PATIENCE).await;
    scene.caught_up().await;
    assert_eq!(scene.stored.rows().await.len(), 1_900);
}
