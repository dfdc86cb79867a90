//! A program's own tables, in a schema of their own, made and changed when the program starts.

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// Step n brings version n − 1 to version n. Steps are added, never changed: somebody has run them.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    pub name: &'static str,
    pub steps: &'static [&'static str],
}

impl Schema {
    /// Replicas that start together do it one after the other; a schema that is up to date is left alone. `pool` must be
    /// one of [`crate::connections::for_service`] for this schema.
    pub async fn migrate(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('schema ' || $1, 0))")
            .bind(self.name)
            .execute(&mut *transaction)
            .await?;
        let version = self.prepare(&mut transaction).await?;
        for (step, text) in self.steps.iter().enumerate().skip(version) {
            sqlx::raw_sql(*text).execute(&mut *transaction).await?;
            sqlx::query("INSERT INTO version (step) VALUES ($1)")
                .bind(step as i32 + 1)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<usize, sqlx::Error> {
        // CREATE … IF NOT EXISTS would ask for the right to create even when there is nothing to do.
        let exists: bool =
            sqlx::query_scalar("SELECT to_regclass('version') IS NOT NULL").fetch_one(&mut *connection).await?;
        if !exists {
            sqlx::raw_sql(AssertSqlSafe(format!(
                "CREATE SCHEMA IF NOT EXISTS {};
                 CREATE TABLE version (step integer PRIMARY KEY, done_at timestamptz NOT NULL DEFAULT now())",
                self.name
            )))
            .execute(&mut *connection)
            .await?;
        }
        let version: i32 =
            sqlx::query_scalar("SELECT coalesce(max(step), 0) FROM version").fetch_one(&mut *connection).await?;
        Ok(version as usize)
    }
}
