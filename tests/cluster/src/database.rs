//! The cluster's Postgres, reached through the host's loopback.

use crate::{
    shell::{kubectl, run},
    topic,
};
use anyhow::{Context, Result, ensure};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

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

/// Waits until the live revision of the view stands at the topic's end.
pub async fn wait_drained(pool: &PgPool, name: &str, topic: &str, limit: Duration) -> Result<()> {
    let start = Instant::now();
    loop {
        let ends = topic::ends(topic)?;
        let positions: Result<Vec<(i32, i64)>, _> = sqlx::query_as(
            "SELECT p.partition, p.next_offset FROM millrace.progress p JOIN millrace.view v
             ON v.namespace = p.namespace AND v.name = p.view AND v.live_revision = p.revision
             WHERE p.namespace = 'shop' AND p.view = $1 ORDER BY 1",
        )
        .bind(name)
        .fetch_all(pool)
        .await;
        if let Ok(positions) = &positions
            && positions.len() == ends.len()
            && positions.iter().zip(&ends).all(|((_, at), end)| at >= end)
        {
            return Ok(());
        }
        ensure!(start.elapsed() < limit, "{name} stands at {positions:?} after {limit:?}, the ends are {ends:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
