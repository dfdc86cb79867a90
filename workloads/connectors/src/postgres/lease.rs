//! The lease of tasks: claimed by raising `owner`, kept by renewal, given back by clearing `holder`.
//!
//! The row that says who holds a task is the row that fences its commits, so there is no moment at which two workers
//! both hold and may both commit.

use super::{error::StoreError, store::RevisionName};
use millrace_contract::{Topics, catalog::LEASE_SECONDS};
use sqlx::{PgConnection, Row};

/// A task that was claimed, and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The task's number: with one topic, its partition's.
    pub partition: i32,
    pub topic_id: String,
    pub kafka_cluster_id: String,
    pub next_offset: i64,
    pub owner: i64,
    pub shared: bool,
    pub problem: Option<String>,
    /// The offset that it is held at.
    pub hold: Option<i64>,
}

/// The revision of the first three parameters may be worked on.
const OPEN: &str = "EXISTS (SELECT FROM millrace.revision r
                            WHERE r.namespace = $1 AND r.view = $2 AND r.revision = $3
                              AND r.state IN ('open', 'standby'))";

/// The offset that a row `p` of `progress` is held at, while it is.
pub(super) const HOLD: &str = "CASE WHEN p.hold_until > clock_timestamp() THEN p.hold_offset END";

/// The topics and the partitions of tasks, as two columns.
pub(super) fn places(topics: &Topics, tasks: impl Iterator<Item = i32>) -> (Vec<&str>, Vec<i32>) {
    tasks.map(|task| (topics.name(task), topics.partition(task))).unzip()
}

/// The task of a row that was found by its topic and partition.
pub(super) fn task(topics: &Topics, topic: &str, partition: i32) -> i32 {
    topics.task_of(topic, partition).expect("only tasks of the view's topics are asked for")
}

/// Claims those of `tasks` that are free, or were held under this holder's name. A row that somebody has locked
/// is passed over: a stopped worker's open transaction must not stop this one.
pub async fn claim(
    connection: &mut PgConnection,
    name: &RevisionName,
    topics: &Topics,
    tasks: &[i32],
) -> Result<Vec<Claimed>, StoreError> {
    let (names, partitions) = places(topics, tasks.iter().copied());
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "WITH free AS (
             SELECT p.topic, p.partition FROM millrace.progress p
             WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3
               AND (p.topic, p.partition) IN (SELECT * FROM unnest($4::text[], $6::integer[]))
               AND (p.lease_until < clock_timestamp() OR p.holder = $5) AND {OPEN}
             ORDER BY p.topic, p.partition
             FOR UPDATE SKIP LOCKED
         )
         UPDATE millrace.progress p
         SET owner = p.owner + 1, holder = $5, lease_until = clock_timestamp() + make_interval(secs => $7)
         FROM free
         WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3
           AND p.topic = free.topic AND p.partition = free.partition
         RETURNING p.partition, p.topic_id, p.kafka_cluster_id, p.next_offset, p.owner, p.shared, p.problem, {HOLD},
                   p.topic"
    )))
    .bind(&name.namespace)
    .bind(&name.view)
    .bind(&name.revision)
    .bind(names)
    .bind(&name.holder)
    .bind(partitions)
    .bind(f64::from(LEASE_SECONDS))
    .fetch_all(&mut *connection)
    .await?;
    let claimed = |row: &sqlx::postgres::PgRow| -> Result<Claimed, sqlx::Error> {
        Ok(Claimed {
            partition: task(topics, row.try_get(8)?, row.try_get(0)?),
            topic_id: row.try_get(1)?,
            kafka_cluster_id: row.try_get(2)?,
            next_offset: row.try_get(3)?,
            owner: row.try_get(4)?,
            shared: row.try_get(5)?,
            problem: row.try_get(6)?,
            hold: row.try_get(7)?,
        })
    };
    let mut claimed: Vec<Claimed> = rows.iter().map(claimed).collect::<Result<_, _>>()?;
    claimed.sort_by_key(|claimed| claimed.partition);
    Ok(claimed)
}

/// Says that this worker is alive and renews the lease of what it holds: (partition, owner, lag). Returns the
/// partitions that are still its own. Nothing is lost if this commit is: it is not waited for.
pub async fn renew(
    connection: &mut PgConnection,
    name: &RevisionName,
    topics: &Topics,
    held: &[(i32, i64, Option<i64>)],
) -> Result<Vec<i32>, StoreError> {
    let (names, partitions) = places(topics, held.iter().map(|(task, ..)| *task));
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "WITH relaxed AS (SELECT set_config('synchronous_commit', 'off', true) AS relaxed), beat AS (
             INSERT INTO millrace.worker AS w (namespace, view, revision, holder, seen_until, writer)
             SELECT $1, $2, $3, $5, clock_timestamp() + make_interval(secs => $9), current_user
             FROM relaxed WHERE {OPEN}
             ON CONFLICT (namespace, view, revision, holder) DO UPDATE SET seen_until = excluded.seen_until
         ), mine AS (
             SELECT p.topic, p.partition, h.lag
             FROM millrace.progress p
             JOIN unnest($4::text[], $6::integer[], $7::bigint[], $8::bigint[]) AS h(topic, partition, owner, lag)
               ON p.topic = h.topic AND p.partition = h.partition
             WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3
               AND p.owner = h.owner AND p.holder = $5 AND {OPEN}
             ORDER BY p.topic, p.partition
             FOR UPDATE OF p
         )
         UPDATE millrace.progress p
         SET lease_until = clock_timestamp() + make_interval(secs => $9), lag_records = coalesce(m.lag, p.lag_records)
         FROM mine m
         WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3 AND p.topic = m.topic AND p.partition = m.partition
         RETURNING p.partition, p.topic"
    )))
    .bind(&name.namespace)
    .bind(&name.view)
    .bind(&name.revision)
    .bind(names)
    .bind(&name.holder)
    .bind(partitions)
    .bind(held.iter().map(|(_, owner, _)| *owner).collect::<Vec<i64>>())
    .bind(held.iter().map(|(.., lag)| *lag).collect::<Vec<Option<i64>>>())
    .bind(f64::from(LEASE_SECONDS))
    .fetch_all(&mut *connection)
    .await?;
    rows.iter().map(|row| Ok(task(topics, row.try_get(1)?, row.try_get(0)?))).collect()
}

/// Gives tasks back: (partition, owner). Whoever wants them need not wait for the lease to run out.
pub async fn give_back(
    connection: &mut PgConnection,
    name: &RevisionName,
    topics: &Topics,
    held: &[(i32, i64)],
) -> Result<(), StoreError> {
    let (names, partitions) = places(topics, held.iter().map(|(task, _)| *task));
    sqlx::query(
        "WITH mine AS (
             SELECT p.topic, p.partition
             FROM millrace.progress p
             JOIN unnest($4::text[], $6::integer[], $7::bigint[]) AS h(topic, partition, owner)
               ON p.topic = h.topic AND p.partition = h.partition
             WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3
               AND p.owner = h.owner AND p.holder = $5
             ORDER BY p.topic, p.partition
             FOR UPDATE OF p
         )
         UPDATE millrace.progress p SET holder = NULL, lease_until = '-infinity' FROM mine m
         WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3 AND p.topic = m.topic AND p.partition = m.partition",
    )
    .bind(&name.namespace)
    .bind(&name.view)
    .bind(&name.revision)
    .bind(names)
    .bind(&name.holder)
    .bind(partitions)
    .bind(held.iter().map(|(_, owner)| *owner).collect::<Vec<i64>>())
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Takes this worker out of the number of those alive.
pub async fn leave(connection: &mut PgConnection, name: &RevisionName) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM millrace.worker WHERE namespace = $1 AND view = $2 AND revision = $3 AND holder = $4")
        .bind(&name.namespace)
        .bind(&name.view)
        .bind(&name.revision)
        .bind(&name.holder)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Writes why a held task stands still, or that it no longer does.
pub async fn set_problem(
    connection: &mut PgConnection,
    name: &RevisionName,
    topics: &Topics,
    (task, owner): (i32, i64),
    problem: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE millrace.progress p SET problem = $7
         WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3 AND p.topic = $4 AND p.partition = $5
           AND p.owner = $6 AND p.problem IS DISTINCT FROM $7",
    )
    .bind(&name.namespace)
    .bind(&name.view)
    .bind(&name.revision)
    .bind(topics.name(task))
    .bind(topics.partition(task))
    .bind(owner)
    .bind(problem.map(|problem| problem.replace('\0', "\\u0000")))
    .execute(&mut *connection)
    .await
    // A sentence that Postgres refuses is no row's fault.
    .map_err(StoreError::Postgres)?;
    Ok(())
}

/// Says that keys of this revision are not where murmur2 puts them: from now on every epoch takes the locks. Waits
/// for the epochs that run.
pub async fn mark_shared(connection: &mut PgConnection, name: &RevisionName) -> Result<(), StoreError> {
    sqlx::query(
        "WITH every AS (
             SELECT p.topic, p.partition FROM millrace.progress p
             WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3
             ORDER BY p.topic, p.partition
             FOR UPDATE
         )
         UPDATE millrace.progress p SET shared = true FROM every e
         WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3 AND p.topic = e.topic
           AND p.partition = e.partition AND NOT p.shared",
    )
    .bind(&name.namespace)
    .bind(&name.view)
    .bind(&name.revision)
    .execute(&mut *connection)
    .await?;
    Ok(())
}
