//! What drops: each checks again, under the view row's lock and in its own transaction, that it may.

use super::{
    super::Performed,
    catalog::{changed, execute, lock_view},
    comparison,
    exposure::old_snapshots,
    gates, index,
    refusal::Refusal,
    revision::is_in_state,
    target::is_ours,
};
use crate::view::{desired::Identity, name::Revision};
use millrace_contract::{faults::sabotaged, ident::quote};
use sqlx::{PgConnection, PgPool};

/// Drops a revision that nobody sees: not live, not shown, and no snapshot is old enough to need it.
pub async fn drop_revision(pool: &PgPool, view: &Identity, revision: &Revision) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SET LOCAL lock_timeout = '500ms'").execute(&mut *transaction).await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    let shown = row.shown.as_deref().is_some_and(|shown| shown.split(':').any(|part| part == revision.0));
    let needed = row.live.as_ref() == Some(&revision.0)
        || shown
        || !is_in_state(&mut transaction, view, revision, &["retired", "abandoned"]).await?;
    if needed && !sabotaged("drop_without_looking") {
        return Ok(changed());
    }
    if old_snapshots(&mut transaction, view).await? && !sabotaged("drop_under_readers") {
        return Ok(Performed::NotYet("readers whose snapshots are older than the cut-over".to_owned()));
    }
    drop_schema(&mut transaction, &view.name.schema(revision)).await?;
    sqlx::query("DELETE FROM millrace.revision WHERE namespace = $1 AND view = $2 AND revision = $3")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&revision.0)
        .execute(&mut *transaction)
        .await?;
    comparison::forget(&mut transaction, view).await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

async fn drop_schema(connection: &mut PgConnection, schema: &str) -> Result<(), Refusal> {
    index::stop(connection, schema).await?;
    comparison::stop(connection, schema).await?;
    execute(connection, format!("DROP SCHEMA IF EXISTS {} CASCADE", quote(schema))).await
}

/// The view waits to be adopted: its data stays, and readers are served what there is.
pub async fn release(pool: &PgPool, view: &Identity) -> Result<Performed, Refusal> {
    sqlx::query("UPDATE millrace.view SET uid = NULL WHERE namespace = $1 AND name = $2 AND uid = $3")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&view.uid)
        .execute(pool)
        .await?;
    Ok(Performed::Done)
}

/// Drops everything of the view but its topics. Relations of others that depend on it keep it from being dropped, and
/// readers that hold it open do for as long as they do: others never queue behind it for longer than 50 ms.
pub async fn delete(pool: &PgPool, view: &Identity) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SET LOCAL lock_timeout = '50ms'").execute(&mut *transaction).await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if row.shown.is_some() && is_ours(&mut transaction, &view.name, &row.target).await? {
        execute(&mut transaction, format!("DROP VIEW IF EXISTS {}", row.target.quoted())).await?;
    }
    let schemas: Vec<String> =
        sqlx::query_scalar("SELECT schema_name FROM millrace.revision WHERE namespace = $1 AND view = $2 ORDER BY 1")
            .bind(&view.name.namespace)
            .bind(&view.name.name)
            .fetch_all(&mut *transaction)
            .await?;
    for schema in schemas {
        drop_schema(&mut transaction, &schema).await?;
    }
    sqlx::query("DELETE FROM millrace.view WHERE namespace = $1 AND name = $2")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .execute(&mut *transaction)
        .await?;
    drop_role(&mut transaction, &gates::role(&row.role)).await?;
    drop_role(&mut transaction, &row.role).await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// What the role was granted goes first: a role with rights cannot be dropped.
async fn drop_role(connection: &mut PgConnection, role: &str) -> Result<(), Refusal> {
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(&mut *connection)
        .await?;
    if exists {
        let role = quote(role);
        execute(connection, format!("GRANT {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")).await?;
    }
    Ok(())
}
