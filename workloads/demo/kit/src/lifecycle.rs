//! How a program of the demo begins and ends: it waits for what is away, and ends on a signal once its work is done.

use std::time::Duration;

use anyhow::Result;
use sqlx::PgPool;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::sleep,
};

use crate::schema::Schema;

/// Tries until the tables are there; `state` says why they are not, and None once they are.
pub async fn prepare_tables(schema: &Schema, pool: &PgPool, state: &watch::Sender<Option<String>>) {
    let mut wait = Duration::from_millis(250);
    while let Err(error) = schema.migrate(pool).await {
        let why = format!("the tables cannot be prepared: {error}");
        tracing::warn!(error = why, retry_in_ms = wait.as_millis() as u64, "postgres failed");
        state.send_replace(Some(why));
        sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(10));
    }
    state.send_replace(None);
}

/// For the state that [`prepare_tables`] moves on.
pub fn tables_not_yet_looked_at() -> Option<String> {
    Some("the tables are not yet looked at".to_owned())
}

pub async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone has nothing more to say: that is the end too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Until SIGTERM or SIGINT.
pub async fn wait_for_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
