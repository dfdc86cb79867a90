//! The outbox: events that were committed with their change and wait to be sent. Each service has one, in its schema.

use sqlx::{PgConnection, PgPool};

/// A step of a service's [`crate::schema::Schema`].
pub const TABLE: &str = "
-- An event waits here from the commit of its change until the brokers have acknowledged it.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    value text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;
";

/// An event on its way to the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    pub id: i64,
    /// The record's key.
    pub key: String,
    pub value: String,
}

/// How much waits, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backlog {
    pub rows: i64,
    pub oldest_seconds: f64,
}

/// To be called in the transaction of the change, after the statement that has locked the changed row: so the events of
/// one key have the order of their commits.
pub async fn append(connection: &mut PgConnection, key: &str, value: &str) -> Result<(), sqlx::Error> {
    let insert = sqlx::query("INSERT INTO outbox (key, value) VALUES ($1, $2)");
    insert.bind(key).bind(value).execute(connection).await?;
    Ok(())
}

/// What is not yet marked sent, oldest id first. Never "id above the last one sent": a transaction may take a
/// small id and commit late, and its event would be lost.
pub async fn unsent(connection: &mut PgConnection, limit: i64) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT id, key, value FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT $1")
            .bind(limit)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(id, key, value)| OutboxRow { id, key, value }).collect())
}

pub async fn mark_sent(connection: &mut PgConnection, rows: &[OutboxRow]) -> Result<(), sqlx::Error> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    sqlx::query("UPDATE outbox SET sent_at = now() WHERE id = ANY($1)").bind(ids).execute(connection).await?;
    Ok(())
}

/// Removes rows that were sent more than an hour ago, at most `limit` of them; says how many went.
pub async fn prune(connection: &mut PgConnection, limit: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM outbox WHERE id IN (
             SELECT id FROM outbox WHERE sent_at < now() - interval '1 hour' ORDER BY sent_at LIMIT $1)",
    )
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

pub async fn backlog(pool: &PgPool) -> Result<Backlog, sqlx::Error> {
    let (rows, oldest_seconds) = sqlx::query_as(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::double precision
         FROM outbox WHERE sent_at IS NULL",
    )
    .fetch_one(pool)
    .await?;
    Ok(Backlog { rows, oldest_seconds })
}
