//! Indexes on the result of a revision: made beside the rounds, for one may take hours.

use super::{super::Performed, catalog::execute, refusal::Refusal};
use crate::view::{desired::Identity, name::Revision};
use millrace_contract::ident::{hex_digest, literal, quote};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, postgres::PgConnectOptions};

/// What the sessions that make indexes in `schema` are called.
fn session_name(schema: &str) -> String {
    format!("millrace-index {schema}")
}

/// One index on the rows of one revision.
struct Index {
    schema: String,
    name: String,
    columns: Vec<String>,
}

/// Begins an index, in a session of its own, where nobody makes it: it is there when it is seen to be.
pub async fn create(
    pool: &PgPool,
    view: &Identity,
    revision: &Revision,
    columns: &[String],
) -> Result<Performed, Refusal> {
    let name = format!("rows_{}", hex_digest(columns.iter().map(String::as_str), 12));
    let index = Index { schema: view.name.schema(revision), name, columns: columns.to_vec() };
    let free: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtext($1))").bind(index.path()).fetch_one(pool).await?;
    if free {
        let options = pool.connect_options();
        tokio::spawn(async move {
            if let Err(refusal) = index.make(&options).await {
                tracing::warn!(index = index.path(), ?refusal, "index not made");
            }
        });
    }
    Ok(Performed::Done)
}

impl Index {
    fn path(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }

    /// Keeps neither workers from writing nor readers from reading, and waits for both as long as they take. The lock
    /// is the session's: an operator that takes over finds it while Postgres goes on.
    async fn make(&self, options: &PgConnectOptions) -> Result<(), Refusal> {
        let mut session = options.clone().application_name(&session_name(&self.schema)).connect().await?;
        execute(&mut session, "SET statement_timeout = 0; SET lock_timeout = 0".to_owned()).await?;
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext($1))")
            .bind(self.path())
            .fetch_one(&mut session)
            .await?;
        if free {
            let valid: Option<bool> =
                sqlx::query_scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)")
                    .bind(self.path())
                    .fetch_optional(&mut session)
                    .await?;
            // One that was begun and not finished is in the way.
            if valid == Some(false) {
                execute(&mut session, format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.path())).await?;
            }
            if valid != Some(true) {
                let columns = self.columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ");
                let rows = format!("{}.rows", quote(&self.schema));
                let name = quote(&self.name);
                execute(&mut session, format!("CREATE INDEX CONCURRENTLY {name} ON {rows} ({columns})")).await?;
            }
        }
        session.close().await?;
        Ok(())
    }
}

/// Ends what makes indexes in a schema that is about to go.
pub async fn stop(connection: &mut PgConnection, schema: &str) -> Result<(), Refusal> {
    let name = literal(&session_name(schema));
    let stop = format!(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = current_user AND application_name = {name}"
    );
    execute(connection, stop).await
}
