//! The pace of a revision that is built: its workers keep to it together, whoever of them lives.

use crate::common::Scene;
use millrace_test_support::plans;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// Records a second.
const PACE: i64 = 1_000;
/// Some epochs may have waited for their commit.
const WAITED: i64 = 1_000;

/// How many records were seen to be committed, and when that was asked for.
struct Watch(Vec<(Instant, i64)>);

impl Watch {
    fn begin() -> Watch {
        Watch(vec![(Instant::now(), 0)])
    }

    /// Looks until so many records are read. No stretch of time since the beginning sees more than the pace.
    async fn until_read(&mut self, scene: &Scene, enough: i64) {
        let begun = Instant::now();
        loop {
            let asked = Instant::now();
            let read: i64 = scene.positions().await.values().sum();
            for (before, already) in &self.0 {
                let passed = before.elapsed();
                let allowed = PACE as f64 * passed.as_secs_f64() + WAITED as f64;
                assert!((read - already) as f64 <= allowed, "{} records in {passed:?}", read - already);
            }
            self.0.push((asked, read));
            if read >= enough {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{enough} records: not within {PATIENCE:?}\n{}", scene.state().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn set_pace(scene: &Scene, pace: &str) {
    scene.execute(&format!("UPDATE millrace.revision SET pace = {pace}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_workers_together_keep_to_the_pace_of_their_revision() {
    let mut scene = Scene::new(plans::append, 4).await;
    set_pace(&scene, &PACE.to_string()).await;
    let line = |id: usize| (id.to_string(), Some(format!(r#"{{"user":{{"id":{id},"name":"홍길동"}}}}"#)));
    scene.produce(&(0..12_000).map(line).collect::<Vec<_>>()).await;

    let mut watch = Watch::begin();
    let begun = Instant::now();
    let (_first, second) = (scene.worker("user-view-0"), scene.worker("user-view-1"));
    watch.until_read(&scene, 2_000).await;
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "2,000 records were read in {:?}", begun.elapsed());
    // More than the one that is left had to read: it takes over, and is no faster.
    second.kill();
    watch.until_read(&scene, 7_000).await;

    stands_still_and_keeps_its_leases(&scene).await;

    set_pace(&scene, "NULL").await;
    scene.caught_up_within(Duration::from_secs(15)).await;
    scene.assert_exact().await;
}

async fn stands_still_and_keeps_its_leases(scene: &Scene) {
    set_pace(scene, "0").await;
    // Until the worker knows, and what it has read is committed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let tasks = "SELECT partition, owner, next_offset FROM millrace.progress ORDER BY partition";
    let before: Vec<(i32, i64, i64)> = scene.query(tasks).await;
    let read: i64 = before.iter().map(|(.., position)| position).sum();
    assert!(read < 12_000, "nothing is left to be read: nothing is shown");
    // Longer than a lease.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(scene.query::<(i32, i64, i64)>(tasks).await, before);
    let held: Vec<(bool,)> = scene.query("SELECT bool_and(lease_until > now()) FROM millrace.progress").await;
    assert_eq!(held, [(true,)]);
}
