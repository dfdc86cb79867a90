//! A running service: its listener, its relay, what it does beside, and its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::{Router, middleware};
use clap::Args;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    time::timeout,
};

use crate::{
    connections::{KafkaConnection, PostgresConnection},
    health::{Health, probes},
    lifecycle::{prepare_tables, stopped, tables_not_yet_looked_at, wait_for_signal},
    metrics::{self, Metrics},
    relay::{Relay, RelayState},
    schema::Schema,
};

#[derive(Args, Clone)]
pub struct ServeArguments {
    #[arg(long, env = "MILLRACE_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Made with 6 partitions if it is missing; the service's own if not given
    #[arg(long, env = "MILLRACE_DEMO_TOPIC")]
    pub topic: Option<String>,
    /// One for each database; services that share it fence each other
    #[arg(long, env = "MILLRACE_DEMO_TRANSACTIONAL_ID")]
    pub transactional_id: Option<String>,
    #[command(flatten)]
    pub kafka: KafkaConnection,
    #[command(flatten)]
    pub postgres: PostgresConnection,
}

/// What one service is, whatever it answers.
#[derive(Clone, Copy)]
pub struct Service {
    /// Its name is that of the schema.
    pub schema: Schema,
    /// Where its events go unless said otherwise.
    pub topic: &'static str,
}

/// What a service's routes stand on.
#[derive(Clone)]
pub struct Core {
    pub pool: PgPool,
    /// Wakes the relay.
    pub bell: Arc<Notify>,
}

impl Core {
    /// To be called after every change, so that the relay looks at once.
    pub fn announce_change(&self) {
        self.bell.notify_one();
    }
}

/// Requests that are being answered when the end comes get this long.
const FAREWELL: Duration = Duration::from_secs(20);

impl Service {
    /// Serves until SIGTERM or SIGINT. What is away when it starts is waited for, not an error. `beside` begins once the
    /// tables are there, and ends when what it is given says so.
    pub async fn serve<Beside>(
        self,
        arguments: ServeArguments,
        routes: impl FnOnce(Core) -> Router,
        beside: impl FnOnce(Core, watch::Receiver<bool>) -> Beside + Send + 'static,
    ) -> Result<()>
    where
        Beside: Future<Output = ()> + Send,
    {
        let Service { schema, topic } = self;
        let options = arguments.postgres.options(schema.name)?;
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options.clone());
        let core = Core { pool: pool.clone(), bell: Arc::new(Notify::new()) };
        let metrics = Metrics::new(schema.name);
        let (stop_sender, stop) = watch::channel(false);
        let (schema_sender, schema_state) = watch::channel(tables_not_yet_looked_at());
        let (relay_sender, relay_state) = watch::channel(RelayState::Starting);
        let relay = Relay {
            postgres: options,
            kafka: arguments.kafka,
            topic: arguments.topic.unwrap_or_else(|| topic.to_owned()),
            transactional_id: arguments.transactional_id.unwrap_or_else(|| format!("{}-relay", schema.name)),
            bell: core.bell.clone(),
            metrics: metrics.clone(),
        };
        let health = Health { pool: pool.clone(), metrics, relay: relay_state, schema: schema_state };
        let router = router(health, routes(core.clone()));
        let working_stop = stop.clone();
        let working = tokio::spawn(async move {
            tokio::select! {
                () = prepare_tables(&schema, &pool, &schema_sender) => {}
                () = stopped(working_stop.clone()) => return,
            }
            tokio::join!(relay.run(relay_sender, working_stop.clone()), beside(core, working_stop));
        });

        let listener = TcpListener::bind(arguments.listen)
            .await
            .with_context(|| format!("cannot listen on {}", arguments.listen))?;
        tracing::info!(address = %arguments.listen, service = schema.name, "serving");
        let serving = tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).into_future());
        wait_for_signal().await?;
        tracing::info!("stopping");
        stop_sender.send_replace(true);
        if timeout(FAREWELL, async { tokio::join!(serving, working) }).await.is_err() {
            tracing::warn!(seconds = FAREWELL.as_secs(), "stopped with requests still open");
        }
        Ok(())
    }
}

/// A service's own routes, each request counted, beside the probes.
pub fn router(health: Health, routes: Router) -> Router {
    let count = middleware::from_fn_with_state(health.metrics.clone(), metrics::count_request);
    routes.route_layer(count).merge(probes(health))
}

/// For a service that does nothing beside its requests.
pub async fn nothing_beside(_: Core, _: watch::Receiver<bool>) {}
