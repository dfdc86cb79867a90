//! Revisions: made, built on, changed and abandoned.

use super::{
    super::Performed,
    catalog::{changed, execute, lock_view},
    refusal::Refusal,
};
use crate::view::{
    action::{NewRevision, Start},
    desired::Identity,
    name::Revision,
};
use millrace_contract::{catalog::worker_grants, faults::sabotaged, ident::quote};
use sqlx::{PgConnection, PgPool};

/// Schema, tables, rights, row, positions and the replay that asked for it, in one transaction.
pub async fn create(pool: &PgPool, view: &Identity, new: &NewRevision) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    let exists: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM millrace.revision WHERE namespace = $1 AND view = $2 AND revision = $3)",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&new.revision.0)
    .fetch_one(&mut *transaction)
    .await?;
    let (from, to) = new.replay_count;
    if exists || i64::from(row.replay_count) != i64::from(from) {
        return Ok(changed());
    }
    if row.live.is_some() {
        let others = built_anew(&mut transaction, view).await?;
        if others >= i64::from(new.concurrent) {
            return Ok(Performed::NotYet(format!(
                "its turn: {others} other views are built anew, and at most {} may be at a time",
                new.concurrent
            )));
        }
    }
    let schema = view.name.schema(&new.revision);
    make_tables(&mut transaction, &schema, &new.tables, &row.role).await?;
    sqlx::query(
        "INSERT INTO millrace.revision (namespace, view, revision, spec_hash, schema_name, plan, plan_format,
                                        errors_policy, errors_stop_above, worker_image, pace)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&new.revision.0)
    .bind(&new.spec_hash)
    .bind(&schema)
    .bind(&new.plan)
    .bind(new.plan_format)
    .bind(&new.errors_policy)
    .bind(new.errors_stop_above)
    .bind(&new.worker_image)
    .bind(new.pace)
    .execute(&mut *transaction)
    .await?;
    insert_progress(&mut transaction, view, &new.revision, &row.role, &new.starts).await?;
    if let Some(id) = &new.replay {
        let accepted = sqlx::query(
            "INSERT INTO millrace.replay (namespace, view, id, revision) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(id)
        .bind(&new.revision.0)
        .execute(&mut *transaction)
        .await?;
        if accepted.rows_affected() == 0 && !sabotaged("replay_accepted_twice") {
            return Ok(changed());
        }
    }
    sqlx::query("UPDATE millrace.view SET replay_count = $3, kafka_cluster_id = $4 WHERE namespace = $1 AND name = $2")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(i32::try_from(to).unwrap_or(i32::MAX))
        .bind(&new.kafka_cluster_id)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// How many other views are built anew beside what their readers see, and read: one that waits for a person does not. A
/// verification keeps no rollout waiting. Until the transaction ends nobody else begins.
async fn built_anew(connection: &mut PgConnection, view: &Identity) -> Result<i64, Refusal> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('millrace.rollouts'))").execute(&mut *connection).await?;
    Ok(sqlx::query_scalar(
        "SELECT count(DISTINCT (v.namespace, v.name))
         FROM millrace.revision r
         JOIN millrace.view v ON v.namespace = r.namespace AND v.name = r.view
         WHERE r.state = 'open' AND r.revision <> v.live_revision AND NOT r.paused AND r.caught_up_at IS NULL
           AND v.uid IS NOT NULL AND (v.namespace, v.name) <> ($1, $2)
           AND NOT EXISTS (SELECT FROM millrace.verification c
                           WHERE c.namespace = r.namespace AND c.view = r.view AND c.revision = r.revision)",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .fetch_one(connection)
    .await?)
}

/// The schema of a revision, its tables, and the workers' rights to them.
pub async fn make_tables(
    connection: &mut PgConnection,
    schema: &str,
    tables: &[String],
    role: &str,
) -> Result<(), Refusal> {
    execute(connection, format!("CREATE SCHEMA {}", quote(schema))).await?;
    for statement in tables.iter().cloned().chain(worker_grants(role, schema)) {
        execute(connection, statement).await?;
    }
    Ok(())
}

async fn insert_progress(
    connection: &mut PgConnection,
    view: &Identity,
    revision: &Revision,
    role: &str,
    starts: &[Start],
) -> Result<(), Refusal> {
    for start in starts {
        sqlx::query(
            "INSERT INTO millrace.progress (namespace, view, revision, task, topic, partition, topic_id,
                                            kafka_cluster_id, start_offset, next_offset, writer)
             VALUES ($1, $2, $3, $5, $4, $5, $6, $7, $8, $8, $9::name) ON CONFLICT DO NOTHING",
        )
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&revision.0)
        .bind(&start.topic)
        .bind(start.partition)
        .bind(&start.topic_id)
        .bind(&start.kafka_cluster_id)
        .bind(start.offset)
        .bind(role)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// New partitions are read from their start, and keys may be spread over partitions otherwise than before.
pub async fn add_partitions(
    pool: &PgPool,
    view: &Identity,
    revision: &Revision,
    starts: &[Start],
) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if !is_in_state(&mut transaction, view, revision, &["open", "standby", "fenced"]).await? {
        return Ok(changed());
    }
    insert_progress(&mut transaction, view, revision, &row.role, starts).await?;
    lock_progress(&mut transaction, view, revision).await?;
    sqlx::query("UPDATE millrace.progress SET shared = true WHERE namespace = $1 AND view = $2 AND revision = $3 AND NOT shared")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&revision.0)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// Locks the positions of a revision in the order in which workers lock them.
pub async fn lock_progress(connection: &mut PgConnection, view: &Identity, revision: &Revision) -> Result<(), Refusal> {
    sqlx::query(
        "SELECT FROM millrace.progress WHERE namespace = $1 AND view = $2 AND revision = $3
         ORDER BY topic, partition FOR UPDATE",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the revision is in one of `states`; its row is locked. Not its key: an epoch that has passed its fence and
/// writes dead letters refers to it, while whoever has locked it waits for the positions of that epoch.
pub async fn is_in_state(
    connection: &mut PgConnection,
    view: &Identity,
    revision: &Revision,
    states: &[&str],
) -> Result<bool, Refusal> {
    let state: Option<String> = sqlx::query_scalar(
        "SELECT state FROM millrace.revision WHERE namespace = $1 AND view = $2 AND revision = $3 FOR NO KEY UPDATE",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .fetch_optional(connection)
    .await?;
    Ok(state.is_some_and(|state| states.contains(&state.as_str())))
}

/// A revision that was live before catches up again; its build is begun now.
pub async fn reopen(pool: &PgPool, view: &Identity, revision: &Revision) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() == Some(&revision.0)
        || !is_in_state(&mut transaction, view, revision, &["retired", "standby", "fenced"]).await?
    {
        return Ok(changed());
    }
    sqlx::query(
        "UPDATE millrace.revision SET state = 'open', reason = NULL, ended_at = NULL, created_at = now(), paused = false,
                                      approved_at = NULL, resumed_at = NULL, caught_up_at = NULL
         WHERE namespace = $1 AND view = $2 AND revision = $3",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// Remembers what the revision has read and how long that took, when it has caught up for the first time and has never
/// been stopped, nor slowed in between: otherwise the time says nothing of how fast it was.
pub async fn note_built(connection: &mut PgConnection, view: &Identity, revision: &Revision) -> Result<(), Refusal> {
    sqlx::query(
        "UPDATE millrace.revision r
         SET built_milliseconds = extract(epoch FROM now() - r.created_at) * 1000,
             built_records = (SELECT sum(p.next_offset - p.start_offset) FROM millrace.progress p
                              WHERE p.namespace = r.namespace AND p.view = r.view AND p.revision = r.revision)
         WHERE r.namespace = $1 AND r.view = $2 AND r.revision = $3
           AND r.built_records IS NULL AND r.live_at IS NULL AND r.resumed_at IS NULL AND r.paced_at IS NULL",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn set_errors(
    pool: &PgPool,
    view: &Identity,
    revision: &Revision,
    policy: &str,
    stop_above: Option<i32>,
) -> Result<Performed, Refusal> {
    sqlx::query(
        "UPDATE millrace.revision SET errors_policy = $4, errors_stop_above = $5
         WHERE namespace = $1 AND view = $2 AND revision = $3",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .bind(policy)
    .bind(stop_above)
    .execute(pool)
    .await?;
    Ok(Performed::Done)
}

/// A revision that is not live is read at this pace from now on. What is live is never slowed.
pub async fn set_pace(
    pool: &PgPool,
    view: &Identity,
    revision: &Revision,
    pace: Option<i64>,
) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() == Some(&revision.0) {
        return Ok(changed());
    }
    sqlx::query(
        "UPDATE millrace.revision SET pace = $4, paced_at = now() WHERE namespace = $1 AND view = $2 AND revision = $3",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .bind(pace)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// A revision that is not live is given up.
pub async fn abandon(pool: &PgPool, view: &Identity, revision: &Revision, reason: &str) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() == Some(&revision.0) || !give_up(&mut transaction, view, revision, reason).await? {
        return Ok(changed());
    }
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// Whether the revision was open, and is abandoned now.
pub async fn give_up(
    connection: &mut PgConnection,
    view: &Identity,
    revision: &Revision,
    reason: &str,
) -> Result<bool, Refusal> {
    let abandoned = sqlx::query(
        "UPDATE millrace.revision SET state = 'abandoned', reason = $4, ended_at = now()
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'open'",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(abandoned.rows_affected() == 1)
}
