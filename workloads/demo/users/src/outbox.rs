//! The outbox: events that were committed with their change and wait to be sent.

use sqlx::{PgConnection, PgPool};

use crate::event::UserEvent;

/// An event on its way to the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    pub id: i64,
    pub user_id: i64,
    pub value: String,
}

/// How much waits, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backlog {
    pub rows: i64,
    pub oldest_seconds: f64,
}

pub async fn append(connection: &mut PgConnection, user_id: i64, event: &UserEvent<'_>) -> Result<(), sqlx::Error> {
    let value = String::from_utf8(event.to_json()).expect("JSON is UTF-8");
    sqlx::query("INSERT INTO demo_users.outbox (user_id, value) VALUES ($1, $2)")
        .bind(user_id)
        .bind(value)
        .execute(connection)
        .await?;
    Ok(())
}

/// What is not yet marked sent, oldest id first. Never "id above the last one sent": a transaction may take a
/// small id and commit late, and its event would be lost.
pub async fn unsent(connection: &mut PgConnection, limit: i64) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let rows: Vec<(i64, i64, String)> =
        sqlx::query_as("SELECT id, user_id, value FROM demo_users.outbox WHERE sent_at IS NULL ORDER BY id LIMIT $1")
            .bind(limit)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(id, user_id, value)| OutboxRow { id, user_id, value }).collect())
}

pub async fn mark_sent(connection: &mut PgConnection, rows: &[OutboxRow]) -> Result<(), sqlx::Error> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    sqlx::query("UPDATE demo_users.outbox SET sent_at = now() WHERE id = ANY($1)")
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes rows that were sent more than an hour ago, at most `limit` of them; says how many went.
pub async fn prune(connection: &mut PgConnection, limit: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM demo_users.outbox WHERE id IN (
             SELECT id FROM demo_users.outbox WHERE sent_at < now() - interval '1 hour' ORDER BY sent_at LIMIT $1)",
    )
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

pub async fn backlog(pool: &PgPool) -> Result<Backlog, sqlx::Error> {
    let (rows, oldest_seconds) = sqlx::query_as(
        "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::double precision
         FROM demo_users.outbox WHERE sent_at IS NULL",
    )
    .fetch_one(pool)
    .await?;
    Ok(Backlog { rows, oldest_seconds })
}
