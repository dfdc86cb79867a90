//! Comparisons of two revisions: both come to stand at equal positions, then a snapshot is compared beside the rounds, for
//! that may take long.

use super::{
    super::Performed,
    catalog::{changed, execute, has_table, lock_view},
    refusal::Refusal,
    revision::{is_in_state, lock_progress},
};
use crate::view::{
    comparison::{Comparison, State},
    desired::Identity,
    hold::{HOLD_AGAIN_AFTER, HOLD_AT_MOST},
    moment::Moment,
    name::{Revision, ViewName},
};
use millrace_contract::{faults::sabotaged, ident::literal};
use millrace_crds::ComparisonStatus;
use sqlx::{
    AssertSqlSafe, ConnectOptions, PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgRow},
};
use std::collections::BTreeMap;

/// A session that compares; it ends with its client, for nobody else hears what it finds.
const SESSION: &str = "SET statement_timeout = '1h'; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
                       SET client_connection_check_interval = '2s'";

/// Whether both read the same partitions up to the same positions.
const EQUAL: &str = "
    SELECT NOT EXISTS (
        SELECT FROM (SELECT topic, partition, topic_id, next_offset FROM millrace.progress
                     WHERE namespace = $1 AND view = $2 AND revision = $3) AS l
        FULL JOIN (SELECT topic, partition, topic_id, next_offset FROM millrace.progress
                   WHERE namespace = $1 AND view = $2 AND revision = $4) AS n USING (topic, partition, topic_id)
        WHERE l.next_offset IS DISTINCT FROM n.next_offset)";

/// Whether a comparison of the revision, as it was begun last, with this live one has come to something.
const ENDED: &str = "
    SELECT EXISTS (
        SELECT FROM millrace.comparison c
        JOIN millrace.revision r ON r.namespace = c.namespace AND r.view = c.view AND r.revision = c.revision
        WHERE c.namespace = $1 AND c.view = $2 AND c.live = $3 AND c.revision = $4 AND c.ended_at IS NOT NULL
          AND c.begun_at >= greatest(r.created_at, r.resumed_at))";

/// What a session that compares a revision is called: it goes on for as long as one of this name is there.
fn session_name(schema: &str) -> String {
    format!("millrace-compare {schema}")
}

/// Neither passes the furthest position of the two, for a while.
pub async fn hold(pool: &PgPool, view: &Identity, live: &Revision, next: &Revision) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() != Some(&live.0)
        || !is_in_state(&mut transaction, view, live, &["open"]).await?
        || !is_in_state(&mut transaction, view, next, &["open"]).await?
    {
        return Ok(changed());
    }
    lock_progress(&mut transaction, view, live).await?;
    lock_progress(&mut transaction, view, next).await?;
    let rested: bool = sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT FROM millrace.progress WHERE namespace = $1 AND view = $2 AND revision IN ($3, $4)
                            AND hold_until > clock_timestamp() - make_interval(secs => $5))",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&live.0)
    .bind(&next.0)
    .bind(HOLD_AGAIN_AFTER.as_secs_f64())
    .fetch_one(&mut *transaction)
    .await?;
    if !rested {
        return Ok(changed());
    }
    sqlx::query(
        "UPDATE millrace.progress p
         SET hold_offset = furthest.place, hold_until = clock_timestamp() + make_interval(secs => $5)
         FROM (SELECT topic, partition, max(next_offset) AS place FROM millrace.progress
               WHERE namespace = $1 AND view = $2 AND revision IN ($3, $4) GROUP BY topic, partition) AS furthest
         WHERE p.namespace = $1 AND p.view = $2 AND p.revision IN ($3, $4)
           AND p.topic = furthest.topic AND p.partition = furthest.partition",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&live.0)
    .bind(&next.0)
    .bind(HOLD_AT_MOST.as_secs_f64())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

pub async fn release(pool: &PgPool, view: &Identity) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    if lock_view(&mut transaction, view).await?.is_none() {
        return Ok(changed());
    }
    end_holds(&mut transaction, view).await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// Ends every hold of the view; the rows are locked in the order in which workers lock those of one revision.
async fn end_holds(connection: &mut PgConnection, view: &Identity) -> Result<(), Refusal> {
    sqlx::query(
        "WITH held AS (
             SELECT revision, topic, partition FROM millrace.progress
             WHERE namespace = $1 AND view = $2 AND hold_until > clock_timestamp()
             ORDER BY revision, topic, partition
             FOR UPDATE
         )
         UPDATE millrace.progress p SET hold_until = clock_timestamp() FROM held
         WHERE p.namespace = $1 AND p.view = $2 AND p.revision = held.revision AND p.topic = held.topic
           AND p.partition = held.partition",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a snapshot; where the two stand at equal positions in it, their holds end, and it is compared in a session of
/// its own.
pub async fn begin(
    pool: &PgPool,
    view: &Identity,
    live: &Revision,
    next: &Revision,
    sql: &str,
) -> Result<Performed, Refusal> {
    let name = session_name(&view.name.schema(next));
    let options = PgConnectOptions::clone(&pool.connect_options()).application_name(&name);
    let mut session = options.connect().await?;
    execute(&mut session, SESSION.to_owned()).await?;
    execute(&mut session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned()).await?;
    let equal: bool = sqlx::query_scalar(EQUAL)
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&live.0)
        .bind(&next.0)
        .fetch_one(&mut session)
        .await?;
    if !equal && !sabotaged("compare_anywhere") {
        return Ok(Performed::NotYet(format!("revisions {live} and {next} to stand at equal positions")));
    }
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() != Some(&live.0) || !is_in_state(&mut transaction, view, next, &["open"]).await? {
        return Ok(changed());
    }
    // Somebody may act on what was found, and would do it on what is not known any more.
    let ended: bool = sqlx::query_scalar(ENDED)
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&live.0)
        .bind(&next.0)
        .fetch_one(&mut *transaction)
        .await?;
    if ended {
        return Ok(changed());
    }
    end_holds(&mut transaction, view).await?;
    sqlx::query("DELETE FROM millrace.comparison WHERE namespace = $1 AND view = $2 AND revision = $3")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&next.0)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO millrace.comparison (namespace, view, revision, live) VALUES ($1, $2, $3, $4)")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&next.0)
        .bind(&live.0)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let (pool, view, next, sql) = (pool.clone(), view.name.clone(), next.clone(), sql.to_owned());
    tokio::spawn(async move {
        let answer = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut session).await;
        if let Err(error) = remember(&pool, &view, &next, answer).await {
            tracing::warn!(%view, revision = %next, %error, "comparison lost");
        }
        // Not before what it found is kept: while the session is there, the comparison goes on.
        drop(session);
    });
    Ok(Performed::Done)
}

/// Keeps what a comparison found, or Postgres's sentence. What ended with its connection is lost and begun again.
async fn remember(
    pool: &PgPool,
    view: &ViewName,
    next: &Revision,
    answer: Result<PgRow, sqlx::Error>,
) -> Result<(), sqlx::Error> {
    let (found, problem) = match answer {
        Ok(row) => (Some(row), None),
        Err(sqlx::Error::Database(error)) if !error.code().is_some_and(|code| code.starts_with("57P")) => {
            (None, Some(error.message().to_owned()))
        }
        Err(error) => return Err(error),
    };
    let count = |column: &str| found.as_ref().map(|row| row.try_get::<i64, _>(column)).transpose();
    sqlx::query(
        "UPDATE millrace.comparison
         SET ended_at = now(), compared_rows = $4, only_in_live = $5, only_in_next = $6, different = $7,
             sample = $8::jsonb, problem = $9
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND ended_at IS NULL",
    )
    .bind(&view.namespace)
    .bind(&view.name)
    .bind(&next.0)
    .bind(count("compared_rows")?)
    .bind(count("only_in_live")?)
    .bind(count("only_in_next")?)
    .bind(count("different")?)
    .bind(found.as_ref().map(|row| row.try_get::<String, _>("sample")).transpose()?)
    .bind(problem)
    .execute(pool)
    .await?;
    Ok(())
}

/// Ends what compares rows of a schema that is about to go.
pub async fn stop(connection: &mut PgConnection, schema: &str) -> Result<(), Refusal> {
    let stop = format!(
        "SELECT pg_terminate_backend(s.pid) FROM pg_stat_activity s
         WHERE s.datname = current_database() AND s.usename = current_user
           AND s.application_name LIKE 'millrace-compare %'
           AND EXISTS (SELECT FROM pg_locks l
                       JOIN pg_class c ON c.oid = l.relation
                       JOIN pg_namespace n ON n.oid = c.relnamespace
                       WHERE l.pid = s.pid AND n.nspname = {})",
        literal(schema)
    );
    execute(connection, stop).await
}

/// Forgets what was found of revisions that are gone. The copy of a verification goes first, and what was found of it is
/// shown until the next one.
pub async fn forget(connection: &mut PgConnection, view: &Identity) -> Result<(), Refusal> {
    sqlx::query(
        "DELETE FROM millrace.comparison c
         WHERE c.namespace = $1 AND c.view = $2
           AND NOT EXISTS (SELECT FROM millrace.revision r
                           WHERE r.namespace = c.namespace AND r.view = c.view AND r.revision = c.revision)
           AND NOT EXISTS (SELECT FROM millrace.verification v
                           WHERE v.namespace = c.namespace AND v.view = c.view AND v.revision = c.revision)",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .execute(connection)
    .await?;
    Ok(())
}

/// The last comparison of each revision of a view.
pub async fn observe(
    connection: &mut PgConnection,
    name: &ViewName,
) -> Result<BTreeMap<Revision, Comparison>, Refusal> {
    if !has_table(connection, "comparison").await? {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(
        "SELECT c.revision, c.live, (extract(epoch FROM c.begun_at) * 1000)::bigint AS begun_at,
                c.compared_rows, c.only_in_live, c.only_in_next, c.different, c.sample::text AS sample, c.problem,
                EXISTS (SELECT FROM pg_stat_activity s
                        WHERE s.datname = current_database() AND s.usename = current_user
                          AND s.application_name = 'millrace-compare ' || r.schema_name) AS goes_on
         FROM millrace.comparison c LEFT JOIN millrace.revision r USING (namespace, view, revision)
         WHERE namespace = $1 AND view = $2",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| -> Result<_, Refusal> {
            let comparison = Comparison {
                live: Revision(row.try_get("live")?),
                begun_at: Moment(row.try_get("begun_at")?),
                state: state(row)?,
            };
            Ok((Revision(row.try_get("revision")?), comparison))
        })
        .collect()
}

fn state(row: &PgRow) -> Result<State, sqlx::Error> {
    if let Some(problem) = row.try_get("problem")? {
        return Ok(State::Failed(problem));
    }
    let Some(sample) = row.try_get::<Option<String>, _>("sample")? else {
        return Ok(if row.try_get("goes_on")? { State::Running } else { State::Lost });
    };
    Ok(State::Found(ComparisonStatus {
        compared_rows: row.try_get("compared_rows")?,
        only_in_live: row.try_get("only_in_live")?,
        only_in_next: row.try_get("only_in_next")?,
        different: row.try_get("different")?,
        sample: serde_json::from_str(&sample).map_err(|error| sqlx::Error::Decode(error.into()))?,
    }))
}
