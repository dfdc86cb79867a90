//! What people decide of revisions: each decision is kept in the transaction that does it.

use super::{
    super::Performed,
    catalog::{changed, lock_view},
    refusal::Refusal,
    revision::{give_up, is_in_state, note_built},
    verification,
};
use crate::view::{
    desired::Identity,
    name::Revision,
    request::{Deed, Request},
    trouble::Trouble,
};
use millrace_contract::faults::sabotaged;
use millrace_crds::Reason;
use sqlx::{PgConnection, PgPool};

/// Does what was asked for and remembers its id; an id that has acted changes nothing.
pub async fn obey(pool: &PgPool, view: &Identity, request: &Request, deed: &Deed) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    let new = sqlx::query(
        "INSERT INTO millrace.request (namespace, view, verb, id, nothing_to_do) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(request.verb.name())
    .bind(&request.id)
    .bind(deed.nothing())
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if new == 0 && !sabotaged("request_acts_twice") {
        return Ok(changed());
    }
    let done = match deed {
        Deed::Abandon(revision) => {
            let trouble = Trouble::rollout(Reason::RolloutAborted, format!("a person gave it up ({request})"));
            row.live.as_ref() != Some(&revision.0)
                && give_up(&mut transaction, view, revision, &trouble.to_string()).await?
        }
        Deed::RollBack { from, to } => {
            is_in_state(&mut transaction, view, to, &["retired", "standby"]).await?
                && set_rollback(&mut transaction, view, Some((from, to))).await?
        }
        Deed::EndRollback => set_rollback(&mut transaction, view, None).await?,
        Deed::Reopen(revision) => go_on(&mut transaction, view, revision).await?,
        Deed::Approve(revision) => approve(&mut transaction, view, revision).await?,
        Deed::Verify(beginning) => {
            verification::begin(&mut transaction, view, &row, Some(&request.id), beginning).await?
        }
        Deed::Nothing(_) => true,
    };
    if !done {
        return Ok(changed());
    }
    transaction.commit().await?;
    Ok(Performed::Done)
}

async fn set_rollback(
    connection: &mut PgConnection,
    view: &Identity,
    rollback: Option<(&Revision, &Revision)>,
) -> Result<bool, Refusal> {
    sqlx::query(
        "UPDATE millrace.view SET rolled_back_from = $3, rolled_back_to = $4 WHERE namespace = $1 AND name = $2",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(rollback.map(|(from, _)| &from.0))
    .bind(rollback.map(|(_, to)| &to.0))
    .execute(connection)
    .await?;
    Ok(true)
}

/// A revision that was given up goes on from its positions; its build is as old as it was.
async fn go_on(connection: &mut PgConnection, view: &Identity, revision: &Revision) -> Result<bool, Refusal> {
    let opened = sqlx::query(
        "UPDATE millrace.revision SET state = 'open', reason = NULL, ended_at = NULL, resumed_at = now(), paused = false,
                                      approved_at = NULL, caught_up_at = NULL
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'abandoned'",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .execute(connection)
    .await?;
    Ok(opened.rows_affected() == 1)
}

async fn approve(connection: &mut PgConnection, view: &Identity, revision: &Revision) -> Result<bool, Refusal> {
    let approved = sqlx::query(
        "UPDATE millrace.revision SET approved_at = now()
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'open'",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&revision.0)
    .execute(connection)
    .await?;
    Ok(approved.rows_affected() == 1)
}

pub async fn note_caught_up(pool: &PgPool, view: &Identity, revision: &Revision) -> Result<Performed, Refusal> {
    let noted = "UPDATE millrace.revision SET caught_up_at = now()
                 WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'open' AND caught_up_at IS NULL";
    let mut transaction = pool.begin().await?;
    if !decide(&mut transaction, view, revision, noted).await? {
        return Ok(changed());
    }
    note_built(&mut transaction, view, revision).await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

pub async fn restart_soak(pool: &PgPool, view: &Identity, revision: &Revision) -> Result<Performed, Refusal> {
    let restarted = "UPDATE millrace.revision SET caught_up_at = NULL
                     WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'open' AND caught_up_at IS NOT NULL";
    decide_alone(pool, view, revision, restarted).await
}

pub async fn set_paused(
    pool: &PgPool,
    view: &Identity,
    revision: &Revision,
    paused: bool,
) -> Result<Performed, Refusal> {
    let set = if paused {
        "UPDATE millrace.revision SET paused = true
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'open' AND NOT paused"
    } else {
        "UPDATE millrace.revision SET paused = false, resumed_at = now()
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'open' AND paused"
    };
    decide_alone(pool, view, revision, set).await
}

/// At most one revision of a view is on standby.
pub async fn set_standby(
    pool: &PgPool,
    view: &Identity,
    revision: &Revision,
    standby: bool,
) -> Result<Performed, Refusal> {
    let set = if standby {
        "UPDATE millrace.revision r SET state = 'standby'
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'retired'
           AND NOT EXISTS (SELECT FROM millrace.revision o
                           WHERE o.namespace = r.namespace AND o.view = r.view AND o.state = 'standby')"
    } else {
        "UPDATE millrace.revision SET state = 'retired'
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND state = 'standby'"
    };
    decide_alone(pool, view, revision, set).await
}

async fn decide_alone(
    pool: &PgPool,
    view: &Identity,
    revision: &Revision,
    sql: &'static str,
) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    if !decide(&mut transaction, view, revision, sql).await? {
        return Ok(changed());
    }
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// One statement about a revision of the view, under the view row's lock; whether it changed something.
async fn decide(
    connection: &mut PgConnection,
    view: &Identity,
    revision: &Revision,
    sql: &'static str,
) -> Result<bool, Refusal> {
    if lock_view(connection, view).await?.is_none() {
        return Ok(false);
    }
    let decided =
        sqlx::query(sql).bind(&view.name.namespace).bind(&view.name.name).bind(&revision.0).execute(connection).await?;
    Ok(decided.rows_affected() > 0)
}
