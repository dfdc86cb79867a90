//! The cluster's Postgres, reached through the host's loopback.

use crate::shell::{kubectl, run};
use anyhow::{Context, Result};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{sync::OnceLock, time::Duration};

/// What `cargo xtask uri` prints.
pub fn uri() -> Result<&'static str> {
    static URI: OnceLock<String> = OnceLock::new();
    if let Some(uri) = URI.get() {
        return Ok(uri);
    }
    let secret = |field: &str| -> Result<String> {
        let path = format!("jsonpath={{.data.{field}}}");
        let encoded = kubectl(&["-n", "millrace-system", "get", "secret", "postgres-app", "-o", &path])?;
        crate::shell::run_with_input("base64", &["-d"], &encoded)
    };
    let uri = format!(
        "postgres://{}:{}@127.0.0.1:15432/{}?sslmode=disable",
        secret("username")?,
        secret("password")?,
        secret("dbname")?
    );
    Ok(URI.get_or_init(|| uri))
}

pub async fn pool() -> Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(Duration::from_secs(60))
        .connect(uri()?)
        .await
        .context("Postgres answers on 127.0.0.1:15432")
}

/// The same database, as another role sees it.
pub async fn pool_as(role: &str, password: &str) -> Result<PgPool> {
    let options = uri()?.parse::<PgConnectOptions>()?.username(role).password(password);
    PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options)
        .await
        .with_context(|| format!("{role} logs in"))
}

/// `psql -c` as a person types it: unaligned, without headings.
pub fn psql(sql: &str) -> Result<String> {
    run("psql", &[uri()?, "-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql])
}
