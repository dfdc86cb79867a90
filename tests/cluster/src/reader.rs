//! Readers that query a view without pause while something happens to it, and remember everything that was wrong.

use anyhow::{Result, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::task::JoinHandle;

/// What one reader saw.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub polls: u64,
    /// When each poll began and when it had its answer.
    pub times: Vec<SystemTime>,
    /// Errors, decreases and gaps, in words.
    pub wrong: Vec<String>,
}

/// How a reader polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A statement of its own each time.
    ReadCommitted,
    /// Three polls in one REPEATABLE READ transaction with a pause of up to a second: all three must be equal.
    RepeatableRead,
}

pub struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Seen>>,
}

impl Readers {
    /// Starts a reader per query. A query gives one row of bigints, none of which may ever decrease.
    pub fn start(pool: &PgPool, queries: &[(Mode, String)]) -> Readers {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = queries
            .iter()
            .map(|(mode, query)| tokio::spawn(watch(pool.clone(), *mode, query.clone(), stop.clone())))
            .collect();
        Readers { stop, tasks }
    }

    pub async fn finish(self) -> Result<Vec<Seen>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in self.tasks {
            all.push(task.await?);
        }
        Ok(all)
    }
}

/// Fails unless nothing was wrong, at least `polls` polls were made, and some of them lie within 10 ms of `moment` on
/// either side.
pub fn require_calm(seen: &[Seen], polls: u64, moment: SystemTime) -> Result<()> {
    let wrong: Vec<&String> = seen.iter().flat_map(|reader| &reader.wrong).collect();
    ensure!(wrong.is_empty(), "readers noticed {} times: {:?}", wrong.len(), wrong.iter().take(5).collect::<Vec<_>>());
    let made: u64 = seen.iter().map(|reader| reader.polls).sum();
    ensure!(made >= polls, "{made} polls were made, {polls} are needed");
    let near = |side: fn(&SystemTime, &SystemTime) -> Option<Duration>| {
        seen.iter()
            .flat_map(|reader| &reader.times)
            .any(|time| side(time, &moment).is_some_and(|gap| gap < Duration::from_millis(10)))
    };
    ensure!(near(|time, moment| moment.duration_since(*time).ok()), "no poll was within 10 ms before the swap");
    ensure!(near(|time, moment| time.duration_since(*moment).ok()), "no poll was within 10 ms after the swap");
    Ok(())
}

async fn watch(pool: PgPool, mode: Mode, query: String, stop: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    let mut highest: Vec<i64> = Vec::new();
    let mut connection = match pool.acquire().await {
        Ok(connection) => connection,
        Err(error) => {
            seen.wrong.push(format!("no connection: {error}"));
            return seen;
        }
    };
    while !stop.load(Ordering::Relaxed) {
        let begun = SystemTime::now();
        let polled = match mode {
            Mode::ReadCommitted => poll(&mut connection, &query).await.map(|row| vec![row]),
            Mode::RepeatableRead => poll_in_one_snapshot(&mut connection, &query).await,
        };
        match polled {
            Err(error) => seen.wrong.push(format!("error: {error}")),
            Ok(rows) => {
                seen.polls += rows.len() as u64;
                seen.times.extend([begun, SystemTime::now()]);
                if rows.iter().any(|row| *row != rows[0]) {
                    seen.wrong.push(format!("one snapshot gave different answers: {rows:?}"));
                }
                if highest.iter().zip(&rows[0]).any(|(before, now)| now < before) {
                    seen.wrong.push(format!("{:?} came after {highest:?}", rows[0]));
                }
                highest.clone_from(&rows[0]);
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    seen
}

async fn poll(connection: &mut PgConnection, query: &str) -> sqlx::Result<Vec<i64>> {
    let row = sqlx::query(AssertSqlSafe(query)).fetch_one(connection).await?;
    (0..row.len()).map(|column| row.try_get(column)).collect()
}

async fn poll_in_one_snapshot(connection: &mut PgConnection, query: &str) -> sqlx::Result<Vec<Vec<i64>>> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut rows = Vec::new();
    for pause in [50, 900, 0] {
        rows.push(poll(&mut transaction, query).await?);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    transaction.commit().await?;
    Ok(rows)
}
