//! What readers see: the relation they query, and which revision is live.
//!
//! DDL on that relation runs alone and gives up after 50 ms: readers never queue behind it for longer. Where readers hold
//! the relation in turns it takes many attempts to meet a moment at which all of them end; one that waited longer would
//! meet it sooner, and readers would feel it.

use super::{
    super::Performed,
    catalog::{changed, execute, lock_view},
    refusal::Refusal,
    revision::{is_in_state, lock_progress, note_built},
    target::is_foreign,
};
use crate::view::{
    desired::Identity,
    name::{Revision, Target},
    shown::Shown,
};
use millrace_contract::{faults::sabotaged, ident::quote};
use sqlx::{PgConnection, PgPool};
use std::time::{Duration, Instant};

/// A round tries to replace the relation for this long, and in between lets everybody through who came meanwhile.
const TRIES_FOR: Duration = Duration::from_secs(1);
const TRIES_APART: Duration = Duration::from_millis(50);

async fn brief_locks(connection: &mut PgConnection) -> Result<(), Refusal> {
    sqlx::query("SET LOCAL lock_timeout = '50ms'").execute(connection).await?;
    Ok(())
}

/// Nobody may see time run backwards after a crash.
async fn durable(connection: &mut PgConnection) -> Result<(), Refusal> {
    sqlx::query("SET LOCAL synchronous_commit = on").execute(connection).await?;
    Ok(())
}

pub async fn show_first(
    pool: &PgPool,
    view: &Identity,
    revision: &Revision,
    target: &Target,
    sql: &str,
) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    durable(&mut transaction).await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.is_some() || row.shown.is_some() || !is_in_state(&mut transaction, view, revision, &["open"]).await? {
        return Ok(changed());
    }
    let schema: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
        .bind(&target.schema)
        .fetch_one(&mut *transaction)
        .await?;
    if !schema {
        execute(&mut transaction, format!("CREATE SCHEMA {}", quote(&target.schema))).await?;
    }
    execute(&mut transaction, sql.to_owned()).await?;
    sqlx::query(
        "UPDATE millrace.view SET live_revision = $3, shown = 'plain:' || $3, cut_over_xid = pg_current_xact_id(),
                                  cut_over_at = now()
         WHERE namespace = $1 AND name = $2",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .execute(&mut *transaction)
    .await?;
    went_live(&mut transaction, view, revision, false).await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

async fn went_live(
    connection: &mut PgConnection,
    view: &Identity,
    revision: &Revision,
    unfinished: bool,
) -> Result<(), Refusal> {
    if !unfinished {
        note_built(connection, view, revision).await?;
    }
    sqlx::query(
        "UPDATE millrace.revision SET live_at = now(), ended_at = NULL, pace = NULL, paced_at = NULL, refilling = $4
         WHERE namespace = $1 AND view = $2 AND revision = $3",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .bind(unfinished)
    .execute(connection)
    .await?;
    Ok(())
}

/// What the relation is to be, and what that was made for: this revision is live, and this is shown.
pub struct Replacement<'a> {
    pub sql: &'a str,
    pub shown: &'a str,
    pub live: &'a Revision,
    pub expected: &'a str,
}

/// Replaces the relation, while what it shows is what the replacement was made for.
pub async fn show(pool: &PgPool, view: &Identity, replacement: &Replacement<'_>) -> Result<Performed, Refusal> {
    let begun = Instant::now();
    loop {
        match try_to_show(pool, view, replacement).await {
            Err(Refusal::Busy(_)) if begun.elapsed() < TRIES_FOR => tokio::time::sleep(TRIES_APART).await,
            ended => return ended,
        }
    }
}

/// One attempt; it is busy where readers, or others, are in its way for longer than a moment.
async fn try_to_show(pool: &PgPool, view: &Identity, replacement: &Replacement<'_>) -> Result<Performed, Refusal> {
    let Replacement { sql, shown, live, expected } = *replacement;
    let mut transaction = pool.begin().await?;
    brief_locks(&mut transaction).await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() != Some(&live.0) || row.shown.as_deref() != Some(expected) {
        return Ok(changed());
    }
    // A switch may be replaced only when every snapshot sees the last cut-over: older ones would see nothing.
    let switch = expected.starts_with("switch:") && !sabotaged("plain_too_early");
    if switch && old_snapshots(&mut transaction, view).await? {
        return Ok(Performed::NotYet("readers whose snapshots are older than the cut-over".to_owned()));
    }
    if is_foreign(&mut transaction, &view.name, &row.target).await? {
        return Ok(changed());
    }
    execute(&mut transaction, sql.to_owned()).await.map_err(|refusal| match refusal {
        Refusal::Busy(_) => Refusal::Busy(format!("readers that hold {} open", row.target)),
        Refusal::Trouble(_) => refusal,
    })?;
    sqlx::query("UPDATE millrace.view SET shown = $3 WHERE namespace = $1 AND name = $2")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(shown)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// Whether a snapshot is open that may not see the view's last cut-over.
pub async fn old_snapshots(connection: &mut PgConnection, view: &Identity) -> Result<bool, Refusal> {
    let old: Option<bool> = sqlx::query_scalar(OLD_SNAPSHOTS)
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .fetch_optional(connection)
        .await?;
    Ok(old.unwrap_or(false))
}

/// A snapshot whose horizon is not past the transaction of the cut-over may not see it. Sessions of the server's own,
/// such as those that vacuum, read nothing through views: they have no user. What kind a session is would say the same,
/// but not to a role that may not read the statistics of others, such as the operator's. Nor do those read through views
/// that make indexes for this operator, compare revisions or ask what gates want to know.
pub const OLD_SNAPSHOTS: &str = "
    SELECT v.cut_over_xid IS NOT NULL AND (
        EXISTS (SELECT FROM pg_stat_activity s
                WHERE s.pid <> pg_backend_pid() AND s.backend_xmin IS NOT NULL
                  AND s.usesysid IS NOT NULL
                  AND NOT (s.usename = current_user
                           AND s.application_name LIKE ANY ('{millrace-index %,millrace-compare %,millrace-gates}'))
                  AND (s.datname = current_database() OR s.datname IS NULL)
                  AND age(s.backend_xmin) >= age(v.cut_over_xid::xid))
        OR EXISTS (SELECT FROM pg_prepared_xacts p
                   WHERE p.database = current_database() AND age(p.transaction) >= age(v.cut_over_xid::xid))
        OR EXISTS (SELECT FROM pg_replication_slots r
                   WHERE r.xmin IS NOT NULL AND age(r.xmin) >= age(v.cut_over_xid::xid)))
    FROM millrace.view v WHERE v.namespace = $1 AND v.name = $2";

/// Whether `next` lacks a record that `live` has, in any partition that both read.
const BEHIND: &str = "
    SELECT EXISTS (
        SELECT FROM millrace.progress l
        WHERE l.namespace = $1 AND l.view = $2 AND l.revision = $3
          AND EXISTS (SELECT FROM millrace.progress n
                      WHERE n.namespace = $1 AND n.view = $2 AND n.revision = $4 AND n.topic = l.topic)
          AND NOT EXISTS (SELECT FROM millrace.progress n
                          WHERE n.namespace = $1 AND n.view = $2 AND n.revision = $4
                            AND n.topic = l.topic AND n.partition = l.partition
                            AND (n.topic_id <> l.topic_id OR n.next_offset >= l.next_offset)))";

/// The swap: one UPDATE, after both revisions' positions stand still under locks and are compared; `unfinished` ones are
/// not.
pub async fn cut_over(
    pool: &PgPool,
    view: &Identity,
    live: &Revision,
    next: &Revision,
    unfinished: bool,
) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    durable(&mut transaction).await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() != Some(&live.0)
        || !Shown::parse(row.shown.as_deref()).is_some_and(|shown| shown.switches(live, next))
        || !is_in_state(&mut transaction, view, next, &["open"]).await?
    {
        return Ok(changed());
    }
    lock_progress(&mut transaction, view, live).await?;
    lock_progress(&mut transaction, view, next).await?;
    let behind: bool = sqlx::query_scalar(BEHIND)
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&live.0)
        .bind(&next.0)
        .fetch_one(&mut *transaction)
        .await?;
    if behind && !unfinished && !sabotaged("swap_without_comparing") {
        return Ok(Performed::NotYet(format!("revision {next} to pass the live one")));
    }
    sqlx::query(
        "UPDATE millrace.view SET live_revision = $3, cut_over_xid = pg_current_xact_id(), cut_over_at = now(),
                                  rolled_back_from = CASE WHEN rolled_back_to = $3 THEN rolled_back_from END,
                                  rolled_back_to = CASE WHEN rolled_back_to = $3 THEN rolled_back_to END
         WHERE namespace = $1 AND name = $2",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&next.0)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "UPDATE millrace.revision SET state = 'retired', ended_at = now() WHERE namespace = $1 AND view = $2 AND revision = $3",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&live.0)
    .execute(&mut *transaction)
    .await?;
    went_live(&mut transaction, view, next, unfinished && behind).await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// What readers see is whole again.
pub async fn note_filled(pool: &PgPool, view: &Identity, live: &Revision) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() != Some(&live.0) {
        return Ok(changed());
    }
    sqlx::query("UPDATE millrace.revision SET refilling = false WHERE namespace = $1 AND view = $2 AND revision = $3")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&live.0)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// The live revision stands still: nobody may commit to it.
pub async fn fence(pool: &PgPool, view: &Identity, live: &Revision) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() != Some(&live.0) || !is_in_state(&mut transaction, view, live, &["open"]).await? {
        return Ok(changed());
    }
    lock_progress(&mut transaction, view, live).await?;
    set_state(&mut transaction, view, live, "fenced").await?;
    sqlx::query(
        "UPDATE millrace.progress SET owner = owner + $4, holder = NULL, lease_until = '-infinity'
         WHERE namespace = $1 AND view = $2 AND revision = $3",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&live.0)
    .bind(i64::from(!sabotaged("fence_keeps_owners")))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

pub async fn unfence(pool: &PgPool, view: &Identity, live: &Revision) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.live.as_ref() != Some(&live.0) || !is_in_state(&mut transaction, view, live, &["fenced"]).await? {
        return Ok(changed());
    }
    set_state(&mut transaction, view, live, "open").await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// `ended_at` is when the revision was fenced, or unfenced last: the next fence waits from there.
async fn set_state(
    connection: &mut PgConnection,
    view: &Identity,
    revision: &Revision,
    state: &str,
) -> Result<(), Refusal> {
    sqlx::query(
        "UPDATE millrace.revision SET state = $4, ended_at = now() WHERE namespace = $1 AND view = $2 AND revision = $3",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .bind(state)
    .execute(connection)
    .await?;
    Ok(())
}
