//! The long form, which runs when it is asked for: a million records are replayed while what serves readers is killed.

use anyhow::{Context, Error, Result, ensure};
use millrace_cluster_tests::{
    chaos::{self, Storm},
    continuity, dashboard, database,
    reader::{Readers, Seen, require_calm, require_polls_near, require_true},
    reference::Reference,
    shell::{apply, project},
    spectators,
    swap::Lookout,
    topic::{self, TestProducer},
    users,
    view::View,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::PgPool;
use std::{
    fs,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const NAME: &str = "soaked";
const RECORDS: i64 = 1_000_000;
/// Each has four records; the last one of every tenth deletes it.
const USERS: i64 = 250_000;
/// Those who come in while a replay goes on have ids from here on.
const NEWCOMERS: i64 = 2_000_000;
/// Records a second of a replay: it lasts for longer than all that happens to it.
const PACE: i64 = 10_000;
const LONG_SECONDS: u64 = 60;
const POLLS: u64 = 10_000;
const LIMIT: Duration = Duration::from_secs(1_200);
/// For as long as a revision is built at that pace; an operator has some peace then.
const STORM: Duration = Duration::from_secs(90);

/// The view of the example over a topic of its own, of which nothing is compacted away.
fn manifest() -> Result<String> {
    let example = fs::read_to_string(format!("{}/examples/user-view.yaml", project()))?;
    let manifest = example.replace("cleanup.policy: compact, ", "").replace("user-events", NAME);
    let manifest = manifest.replace("user-view", NAME).replace("user_view", NAME);
    ensure!(!manifest.contains("compact"), "the example has another cleanup.policy than this test knows:\n{manifest}");
    Ok(manifest)
}

fn fill() -> Result<()> {
    let producer = TestProducer::new()?;
    let mut random = StdRng::seed_from_u64(4);
    for number in 0..RECORDS {
        let (round, id) = (number / USERS, number % USERS);
        let value = match round {
            0 => users::upsert(&mut random, id, "USER_CREATED"),
            3 if id % 10 == 0 => users::delete(id),
            _ => users::upsert(&mut random, id, "USER_UPDATED"),
        };
        producer.send(NAME, id.to_string().as_bytes(), Some(value.as_bytes()))?;
    }
    producer.flush()
}

/// A user more, many times a second: what is live goes on, and what is built has to catch up with it.
fn newcomers(first: i64) -> Result<Storm> {
    let producer = TestProducer::new()?;
    let mut random = StdRng::seed_from_u64(first.unsigned_abs());
    let mut id = first;
    Ok(Storm::begin(Duration::from_millis(5), move || {
        id += 1;
        let user = users::upsert(&mut random, id, "USER_CREATED");
        producer.send(NAME, id.to_string().as_bytes(), Some(user.as_bytes()))?;
        producer.flush()
    }))
}

/// The operator that leads is killed.
fn operators() -> Storm {
    let until = Instant::now() + STORM;
    Storm::begin(Duration::from_secs(3), move || {
        ensure!(Instant::now() < until, "it is over");
        chaos::kill_leader()
    })
}

/// Workers are killed, of both revisions.
fn workers() -> Storm {
    let until = Instant::now() + STORM;
    let mut random = StdRng::seed_from_u64(7);
    Storm::begin(Duration::from_secs(5), move || {
        ensure!(Instant::now() < until, "it is over");
        chaos::kill_worker(&View::new("shop", NAME), random.random_range(0..100)).map(drop)
    })
}

/// Postgres is killed, then the node of a broker; both while `live` is live still.
fn machines(live: String) -> JoinHandle<Result<()>> {
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(20));
        chaos::signal(&chaos::postgres_node()?, "KILL", "postgres")?;
        thread::sleep(Duration::from_secs(15));
        let lost = chaos::spare_node()?;
        chaos::stop_node(&lost)?;
        let now = View::new("shop", NAME).live_revision()?;
        thread::sleep(Duration::from_secs(8));
        chaos::start_node(&lost)?;
        ensure!(now == live, "revision {now} was live before a node was stopped; lower the pace of the replay");
        Ok(())
    })
}

struct Stage {
    view: View,
    pool: PgPool,
    as_dashboard: PgPool,
}

impl Stage {
    async fn set() -> Result<Stage> {
        let view = View::new("shop", NAME);
        view.delete_with_its_table()?;
        topic::delete(NAME).await?;
        apply(&manifest()?)?;
        view.wait_ready(LIMIT)?;
        fill()?;
        let pool = database::pool().await?;
        database::wait_drained(&pool, NAME, NAME, LIMIT).await?;
        spectators::make_watched_user(&view, NAME)?;
        let as_dashboard = dashboard::let_in(&view, &view.table()).await?;
        view.patch(&serde_json::json!({"spec": {"rollout": {"maxRecordsPerSecond": PACE}}}).to_string())?;
        Ok(Stage { view, pool, as_dashboard })
    }

    /// Replays everything before the eyes of readers while the storms last, and after it as many users more have come in.
    async fn replay(&self, id: &str, first: i64, storms: Vec<Storm>) -> Result<Vec<Seen>> {
        let Stage { view, pool, as_dashboard } = self;
        let before = view.live_revision()?;
        let newcomers = newcomers(first)?;
        let readers = Readers::start(spectators::of_users(view, pool, as_dashboard, LONG_SECONDS));
        view.patch(&serde_json::json!({"spec": {"replay": {"id": id}}}).to_string())?;
        view.wait_ready(LIMIT)?;
        for storm in storms {
            let strikes = storm.end()?;
            ensure!(strikes > 1, "a storm has struck {strikes} times");
        }
        ensure!(view.live_revision()? != before, "revision {before} is still live although Ready is true");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let came = newcomers.end()?;
        ensure!(came > 100, "{came} users came in: nothing had to catch up");
        readers.finish().await
    }

    /// Fails unless the view has every record, and shows what they give.
    async fn compare(&self) -> Result<()> {
        database::wait_drained(&self.pool, NAME, NAME, LIMIT).await?;
        let records = topic::read_all(NAME)?;
        ensure!(records.len() as i64 > RECORDS, "{} records were sent", records.len());
        let rows = users::USER_VIEW_ROWS.replace("shop.user_view", &self.view.table());
        let compared = Reference::of(&records).await?.compare(users::USER_VIEW, &self.pool, &rows).await;
        compared.map(drop).context("what is shown is not what the records give")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_records_are_replayed_under_readers_eyes_while_all_that_can_be_killed_is_killed() -> Result<()> {
    let stage = Stage::set().await?;
    let lookout = Lookout::begin(&stage.pool, &stage.view);
    let seen = stage.replay("operators", NEWCOMERS, vec![operators()]).await?;
    require_calm(&seen, POLLS)?;
    require_polls_near(&seen, &lookout.end().await?)?;
    stage.compare().await?;

    // Again. A connection may be lost now, and nothing else: no row, and no step back.
    continuity::install(&stage.pool).await?;
    let machines = machines(stage.view.live_revision()?);
    let seen = stage.replay("everything", 2 * NEWCOMERS, vec![operators(), workers()]).await?;
    machines.join().map_err(|_| Error::msg("the thread of the machines has panicked"))??;
    require_true(&seen)?;
    let lost: usize = seen.iter().map(|reader| reader.lost.len()).sum();
    ensure!(lost > 0, "no reader has noticed that Postgres was killed");
    stage.compare().await?;
    continuity::check(&stage.pool).await?;
    continuity::remove(&stage.pool).await?;

    dashboard::send_away(&stage.view, &stage.view.table())?;
    stage.view.delete_with_its_table()?;
    topic::delete(NAME).await
}
