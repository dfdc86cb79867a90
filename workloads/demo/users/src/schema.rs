//! The service's own tables, schema `demo_users`, made and changed when it starts.

use sqlx::{Connection, PgConnection, PgPool};

/// Step n brings version n − 1 to version n. Steps are added, never changed: somebody has run them.
const STEPS: [&str; 1] = [r#"
CREATE TABLE demo_users.users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    department text NOT NULL,
    status text NOT NULL CONSTRAINT users_status CHECK (status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email ON demo_users.users (lower(email));

-- An event waits here from the commit of its change until the brokers have acknowledged it.
CREATE TABLE demo_users.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL,
    value text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX outbox_unsent ON demo_users.outbox (id) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON demo_users.outbox (sent_at) WHERE sent_at IS NOT NULL;
"#];

/// Any number, as long as every replica uses the same.
const SCHEMA_LOCK: i64 = i64::from_be_bytes(*b"demoschm");

/// Replicas that start together do it one after the other; a schema that is up to date is left alone.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(SCHEMA_LOCK).execute(&mut *transaction).await?;
    let version = prepare(&mut transaction).await?;
    for (step, text) in STEPS.iter().enumerate().skip(version) {
        sqlx::raw_sql(*text).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO demo_users.version (step) VALUES ($1)")
            .bind(step as i32 + 1)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

async fn prepare(connection: &mut PgConnection) -> Result<usize, sqlx::Error> {
    // CREATE … IF NOT EXISTS would ask for the right to create even when there is nothing to do.
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('demo_users.version') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !exists {
        sqlx::raw_sql(
            "CREATE SCHEMA IF NOT EXISTS demo_users;
             CREATE TABLE demo_users.version (step integer PRIMARY KEY, done_at timestamptz NOT NULL DEFAULT now())",
        )
        .execute(&mut *connection)
        .await?;
    }
    let version: i32 =
        sqlx::query_scalar("SELECT coalesce(max(step), 0) FROM demo_users.version").fetch_one(&mut *connection).await?;
    Ok(version as usize)
}
