//! The catalog and a view's row in it.

use super::{super::Performed, refusal::Refusal};
use crate::view::{action::Owner, desired::Identity, name::Target, trouble::Trouble};
use millrace_contract::{
    catalog::{CATALOG_VERSION, MIGRATIONS, ROLE_SETTINGS},
    ident::{literal, quote},
};
use millrace_crds::Reason;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row};

/// One migration at a time in a database, whoever runs it: the number is "millrace" as ASCII.
const MIGRATION_LOCK: i64 = 0x6d69_6c6c_7261_6365;

/// Brings the catalog to this program's version. A newer one is left alone.
pub async fn migrate(pool: &PgPool) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *transaction).await?;
    let version: i32 = if has_table(&mut transaction, "catalog").await? {
        sqlx::query_scalar("SELECT version FROM millrace.catalog").fetch_one(&mut *transaction).await?
    } else {
        0
    };
    let done = usize::try_from(version).unwrap_or(0).min(MIGRATIONS.len());
    for migration in &MIGRATIONS[done..] {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    if version < CATALOG_VERSION {
        sqlx::query("UPDATE millrace.catalog SET version = $1")
            .bind(CATALOG_VERSION)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// Whether the catalog has a table: one that is still to be migrated lacks some, and a database may have none.
pub async fn has_table(connection: &mut PgConnection, name: &str) -> Result<bool, Refusal> {
    Ok(sqlx::query_scalar("SELECT to_regclass('millrace.' || $1) IS NOT NULL").bind(name).fetch_one(connection).await?)
}

/// Makes the view's row and role, or takes the row over from `from`.
pub async fn claim(pool: &PgPool, view: &Identity, target: &Target, from: &Owner) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let role = role_of(&mut transaction, view, from).await?;
    make_role(&mut transaction, &role).await?;
    let changed = match from {
        Owner::NoRow => sqlx::query(
            "INSERT INTO millrace.view (namespace, name, target_schema, target_name, role, uid)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(&target.schema)
        .bind(&target.name)
        .bind(&role)
        .bind(&view.uid),
        Owner::Nobody => {
            sqlx::query("UPDATE millrace.view SET uid = $3 WHERE namespace = $1 AND name = $2 AND uid IS NULL")
                .bind(&view.name.namespace)
                .bind(&view.name.name)
                .bind(&view.uid)
        }
        Owner::Gone(uid) => {
            sqlx::query("UPDATE millrace.view SET uid = $3 WHERE namespace = $1 AND name = $2 AND uid = $4")
                .bind(&view.name.namespace)
                .bind(&view.name.name)
                .bind(&view.uid)
                .bind(uid)
        }
    }
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if changed == 0 {
        return Ok(Performed::NotYet("another look: the view's row in the catalog has changed".to_owned()));
    }
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// The role that the view's row names, or that a new row will name: one that is there already belongs to somebody else.
async fn role_of(connection: &mut PgConnection, view: &Identity, from: &Owner) -> Result<String, Refusal> {
    if *from != Owner::NoRow {
        return Ok(sqlx::query_scalar("SELECT role FROM millrace.view WHERE namespace = $1 AND name = $2")
            .bind(&view.name.namespace)
            .bind(&view.name.name)
            .fetch_one(connection)
            .await?);
    }
    let id: String =
        sqlx::query_scalar("SELECT catalog_id::text FROM millrace.catalog").fetch_one(&mut *connection).await?;
    let role = view.name.role(&id);
    let of_others: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AND NOT EXISTS (SELECT FROM millrace.view WHERE role = $1)",
    )
    .bind(&role)
    .fetch_one(connection)
    .await?;
    if of_others {
        return Err(Refusal::Trouble(Trouble::sink(
            Reason::TargetExists,
            format!(
                "the server has a role {role} that no view of this catalog names, and it is left alone; rename it, or drop \
                 it with what it owns"
            ),
        )));
    }
    Ok(role)
}

/// The role that the view's workers log in as; without a password it cannot be used.
async fn make_role(connection: &mut PgConnection, role: &str) -> Result<(), Refusal> {
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        execute(connection, format!("CREATE ROLE {} LOGIN NOINHERIT", quote(role))).await?;
    }
    for (name, value) in ROLE_SETTINGS {
        execute(connection, format!("ALTER ROLE {} SET {name} = {}", quote(role), literal(value))).await?;
    }
    Ok(())
}

/// Runs a statement whose names are quoted and whose texts are literals.
pub async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), Refusal> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// A view's row, locked: every change of what a view is goes one after the other.
pub struct Locked {
    pub live: Option<String>,
    pub shown: Option<String>,
    pub replay_count: i32,
    pub role: String,
    pub target: Target,
}

/// Locks the view's row; None when it is not this resource's.
pub async fn lock_view(connection: &mut PgConnection, view: &Identity) -> Result<Option<Locked>, Refusal> {
    let row = sqlx::query(
        "SELECT live_revision, shown, replay_count, role, target_schema, target_name FROM millrace.view
         WHERE namespace = $1 AND name = $2 AND uid = $3 FOR UPDATE",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&view.uid)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Locked {
        live: row.try_get("live_revision")?,
        shown: row.try_get("shown")?,
        replay_count: row.try_get("replay_count")?,
        role: row.try_get("role")?,
        target: Target { schema: row.try_get("target_schema")?, name: row.try_get("target_name")? },
    }))
}

/// What is said when a view's row has changed since it was looked at.
pub fn changed() -> Performed {
    Performed::NotYet("another look: what was planned for has changed".to_owned())
}
