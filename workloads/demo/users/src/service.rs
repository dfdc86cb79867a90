//! The running service: its listener, its relay and its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use crate::{
    api,
    connections::{KafkaConnection, PostgresConnection},
    health::Health,
    metrics::Metrics,
    relay::{Relay, RelayState},
    schema,
    store::Store,
};

#[derive(Args)]
pub struct ServeArguments {
    #[arg(long, env = "MILLRACE_LISTEN", default_value = "0.0.0.0:8081")]
    listen: SocketAddr,
    /// Made with 6 partitions if it is missing
    #[arg(long, env = "MILLRACE_DEMO_USERS_TOPIC", default_value = "user-events")]
    topic: String,
    /// One for each database; services that share it fence each other
    #[arg(long, env = "MILLRACE_DEMO_USERS_TRANSACTIONAL_ID", default_value = "demo-users-relay")]
    transactional_id: String,
    #[command(flatten)]
    kafka: KafkaConnection,
    #[command(flatten)]
    postgres: PostgresConnection,
}

/// Requests that are being answered when the end comes get this long.
const FAREWELL: Duration = Duration::from_secs(20);

/// Serves until SIGTERM or SIGINT. What is away when it starts is waited for, not an error.
pub async fn serve(arguments: ServeArguments) -> Result<()> {
    let options = arguments.postgres.options()?;
    let pool = PgPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(options.clone());
    let store = Store::new(pool.clone());
    let metrics = Metrics::new();
    let bell = Arc::new(Notify::new());
    let (stop_sender, stop) = watch::channel(false);
    let (schema_sender, schema) = watch::channel(Some("the tables are not yet looked at".to_owned()));
    let (relay_sender, relay_state) = watch::channel(RelayState::Starting);
    let relay = Relay {
        postgres: options,
        kafka: arguments.kafka,
        topic: arguments.topic,
        transactional_id: arguments.transactional_id,
        bell: bell.clone(),
        metrics: metrics.clone(),
    };
    let relay_stop = stop.clone();
    let relaying = tokio::spawn(async move {
        tokio::select! {
            () = prepare_tables(&pool, &schema_sender) => {}
            () = stopped(relay_stop.clone()) => return,
        }
        relay.run(relay_sender, relay_stop).await;
    });

    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    tracing::info!(address = %arguments.listen, "serving");
    let router = api::router(Health { store, metrics, relay: relay_state, schema }, bell);
    let serving = tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).into_future());
    wait_for_signal().await?;
    tracing::info!("stopping");
    stop_sender.send_replace(true);
    if timeout(FAREWELL, async { tokio::join!(serving, relaying) }).await.is_err() {
        tracing::warn!(seconds = FAREWELL.as_secs(), "stopped with requests still open");
    }
    Ok(())
}

async fn prepare_tables(pool: &PgPool, state: &watch::Sender<Option<String>>) {
    let mut wait = Duration::from_millis(250);
    while let Err(error) = schema::migrate(pool).await {
        let why = format!("the tables cannot be prepared: {error}");
        tracing::warn!(error = why, retry_in_ms = wait.as_millis() as u64, "postgres failed");
        state.send_replace(Some(why));
        sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(10));
    }
    state.send_replace(None);
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone has nothing more to say: that is the end too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn wait_for_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
