//! Readers that query a view again and again while something happens to it, and remember everything that was wrong.

use crate::swap::Swap;
use anyhow::{Result, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// A poll is near a swap that is no further away than this.
const NEAR: Duration = Duration::from_millis(10);
/// An error comes at once, and would come again as fast.
const AFTER_AN_ERROR: Duration = Duration::from_millis(100);

/// When a poll was begun and when it was answered.
#[derive(Debug, Clone, Copy)]
pub struct Poll {
    pub begun: Instant,
    pub answered: Instant,
}

/// What one reader saw.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub polls: u64,
    /// Those of the polls that had a snapshot of their own, taken while they lasted.
    pub fresh: Vec<Poll>,
    /// Errors, decreases and gaps, in words.
    pub wrong: Vec<String>,
    /// Connections that ended under a query or could not be made, in words.
    pub lost: Vec<String>,
}

/// How a reader polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A statement of its own each time, begun so long after the answer to the one before.
    ReadCommitted { pause: Duration },
    /// Three polls in one REPEATABLE READ transaction with a pause of up to a second: all three must be equal.
    RepeatableRead,
}

/// As whom a reader reads, how, and what. A query gives one row of bigints, none of which may ever decrease.
pub struct Reader {
    pub pool: PgPool,
    pub mode: Mode,
    pub query: String,
}

pub struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Seen>>,
}

impl Readers {
    pub fn start(readers: Vec<Reader>) -> Readers {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = readers.into_iter().map(|reader| tokio::spawn(watch(reader, stop.clone()))).collect();
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

/// Fails if a reader saw an error, a decrease or a gap.
pub fn require_no_wrong(seen: &[Seen]) -> Result<()> {
    let lost: Vec<&String> = seen.iter().flat_map(|reader| &reader.lost).collect();
    ensure!(lost.is_empty(), "readers lost {} connections: {:?}", lost.len(), lost.iter().take(5).collect::<Vec<_>>());
    require_true(seen)
}

/// Fails if a reader saw an error, a decrease or a gap; connections may have been lost, where Postgres was killed.
pub fn require_true(seen: &[Seen]) -> Result<()> {
    let wrong: Vec<&String> = seen.iter().flat_map(|reader| &reader.wrong).collect();
    ensure!(wrong.is_empty(), "readers noticed {} times: {:?}", wrong.len(), wrong.iter().take(5).collect::<Vec<_>>());
    Ok(())
}

/// Fails unless nothing was wrong and at least `polls` polls were made.
pub fn require_calm(seen: &[Seen], polls: u64) -> Result<()> {
    require_no_wrong(seen)?;
    let made: u64 = seen.iter().map(|reader| reader.polls).sum();
    ensure!(made >= polls, "{made} polls were made, {polls} are needed");
    Ok(())
}

/// Fails unless a poll was answered within 10 ms before the swap, and one begun within 10 ms after it.
pub fn require_polls_near(seen: &[Seen], swap: &Swap) -> Result<()> {
    let (before, after) = sides(seen, swap);
    let known = swap.by.duration_since(swap.after);
    ensure!(before, "no poll was answered within {NEAR:?} before the swap, whose moment is known to {known:?}");
    ensure!(after, "no poll was begun within {NEAR:?} after the swap, whose moment is known to {known:?}");
    Ok(())
}

/// Whether a poll was answered shortly before the swap, and whether one was begun shortly after it: for certain, so
/// wherever between its bounds the swap was.
fn sides(seen: &[Seen], swap: &Swap) -> (bool, bool) {
    let polls: Vec<&Poll> = seen.iter().flat_map(|reader| &reader.fresh).collect();
    let before = polls.iter().any(|poll| poll.answered <= swap.after && swap.by.duration_since(poll.answered) <= NEAR);
    let after = polls.iter().any(|poll| poll.begun >= swap.by && poll.begun.duration_since(swap.after) <= NEAR);
    (before, after)
}

async fn watch(reader: Reader, stop: Arc<AtomicBool>) -> Seen {
    let Reader { pool, mode, query } = reader;
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
        let (polled, pause) = match mode {
            Mode::ReadCommitted { pause } => {
                (poll(&mut connection, &query).await.map(|(row, times)| (vec![row], times)), pause)
            }
            Mode::RepeatableRead => (poll_in_one_snapshot(&mut connection, &query).await, Duration::from_millis(1)),
        };
        let pause = match polled {
            Err(error) if is_lost(&error) => {
                seen.lost.push(error.to_string());
                if let Ok(another) = pool.acquire().await {
                    connection = another;
                }
                AFTER_AN_ERROR
            }
            Err(error) => {
                seen.wrong.push(format!("error: {error}"));
                AFTER_AN_ERROR
            }
            Ok((rows, first)) => {
                seen.polls += rows.len() as u64;
                seen.fresh.push(first);
                if rows.iter().any(|row| *row != rows[0]) {
                    seen.wrong.push(format!("one snapshot gave different answers: {rows:?}"));
                }
                if highest.iter().zip(&rows[0]).any(|(before, now)| now < before) {
                    seen.wrong.push(format!("{:?} came after {highest:?}", rows[0]));
                }
                highest.clone_from(&rows[0]);
                pause
            }
        };
        // Sleeping for no time takes the timer's millisecond.
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    seen
}

/// Whether the connection ended, by the network or with the server.
fn is_lost(error: &sqlx::Error) -> bool {
    let ended = |code: &str| code.starts_with("57P") || code.starts_with("08");
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| ended(&code)),
        _ => false,
    }
}

async fn poll(connection: &mut PgConnection, query: &str) -> sqlx::Result<(Vec<i64>, Poll)> {
    let begun = Instant::now();
    let row = sqlx::query(AssertSqlSafe(query)).fetch_one(connection).await?;
    let answered = Instant::now();
    let values: Vec<i64> = (0..row.len()).map(|column| row.try_get(column)).collect::<sqlx::Result<_>>()?;
    Ok((values, Poll { begun, answered }))
}

/// The rows of all polls, and the times of the first, which takes the snapshot.
async fn poll_in_one_snapshot(connection: &mut PgConnection, query: &str) -> sqlx::Result<(Vec<Vec<i64>>, Poll)> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let (row, first) = poll(&mut transaction, query).await?;
    let mut rows = vec![row];
    for pause in [50, 900] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        rows.push(poll(&mut transaction, query).await?.0);
    }
    transaction.commit().await?;
    Ok((rows, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls (begun, answered), the bounds of a swap, and whether there is a poll before it and one after it. All in
    /// milliseconds.
    fn check(polls: &[(u64, u64)], swap: (u64, u64), expected: (bool, bool)) {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let fresh = polls.iter().map(|&(begun, answered)| Poll { begun: at(begun), answered: at(answered) }).collect();
        let seen = Seen { fresh, ..Seen::default() };
        let found = sides(&[seen], &Swap { after: at(swap.0), by: at(swap.1) });
        assert_eq!(found, expected, "polls {polls:?}, swap {swap:?}");
    }

    #[test]
    fn polls_on_either_side_of_a_swap_are_found() {
        check(&[(90, 95), (105, 106)], (100, 102), (true, true));
        check(&[(90, 95)], (100, 102), (true, false));
        check(&[(105, 106)], (100, 102), (false, true));
    }

    #[test]
    fn a_poll_that_may_have_met_the_swap_is_on_neither_side() {
        check(&[(99, 103), (95, 101), (101, 110)], (100, 102), (false, false));
    }

    #[test]
    fn a_poll_is_near_only_if_it_is_near_to_both_bounds_of_the_swap() {
        check(&[(80, 92), (110, 112)], (100, 102), (true, true));
        check(&[(80, 91), (111, 112)], (100, 102), (false, false));
        check(&[(98, 99), (121, 122)], (100, 120), (false, false));
    }
}
