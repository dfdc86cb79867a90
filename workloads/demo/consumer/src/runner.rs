//! A running app: what it is told by its environment, its probes, its consumer, and its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use millrace_demo_kit::{
    connections::{KafkaConnection, PostgresConnection},
    lifecycle::{prepare_tables, stopped, tables_not_yet_looked_at, wait_for_signal},
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    App,
    health::{ConsumerState, Health, probes},
    metrics::Metrics,
    run::Session,
};

#[derive(Args, Clone)]
pub struct AppArguments {
    #[arg(long, env = "MILLRACE_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    #[arg(long, env = "MILLRACE_CONSUMER_GROUP")]
    pub group: String,
    #[arg(long, env = "MILLRACE_INPUT_TOPICS", value_delimiter = ',')]
    pub inputs: Vec<String>,
    /// The first that does not take dead letters takes what the app sends
    #[arg(long, env = "MILLRACE_OUTPUT_TOPICS", value_delimiter = ',')]
    pub outputs: Vec<String>,
    /// Where records go that cannot be applied; <group>-dead-letters if not given
    #[arg(long, env = "MILLRACE_DEMO_DEAD_LETTERS")]
    pub dead_letters: Option<String>,
    /// What a crash may do to a record's effects outside of Postgres
    #[arg(long, env = "MILLRACE_DEMO_DELIVERY", value_enum, default_value = "at-least-once")]
    pub delivery: Delivery,
    #[command(flatten)]
    pub pace: Pace,
    #[command(flatten)]
    pub kafka: KafkaConnection,
    #[command(flatten)]
    pub postgres: PostgresConnection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Delivery {
    /// Positions are committed before records are handled: a crash loses some.
    AtMostOnce,
    /// Positions are committed after records were handled: a crash sends some twice.
    AtLeastOnce,
    /// Positions are committed with what is sent, in one transaction: a crash does neither.
    ExactlyOnce,
}

/// How fast, and how soon after a crash.
#[derive(Args, Clone, Copy, Debug)]
pub struct Pace {
    /// Records dealt with at once
    #[arg(long, env = "MILLRACE_DEMO_BATCH", default_value_t = Pace::USUAL.batch)]
    pub batch: usize,
    /// Seconds between commits of positions, at least once
    #[arg(long, env = "MILLRACE_DEMO_COMMIT_SECONDS", default_value_t = Pace::USUAL.commit_seconds)]
    pub commit_seconds: u64,
    /// Work that is made up, for each record, after it was handled and before what it says is sent
    #[arg(long, env = "MILLRACE_DEMO_WORK_MILLISECONDS", default_value_t = Pace::USUAL.work_milliseconds)]
    pub work_milliseconds: u64,
    /// How long the group waits for an instance that says nothing
    #[arg(long, env = "MILLRACE_DEMO_SESSION_SECONDS", default_value_t = Pace::USUAL.session_seconds)]
    pub session_seconds: u64,
}

impl Pace {
    pub const USUAL: Pace = Pace { batch: 500, commit_seconds: 1, work_milliseconds: 0, session_seconds: 10 };
}

/// What takes part in a group for an app.
pub struct Consumer<A> {
    pub app: Arc<A>,
    pub pool: PgPool,
    pub group: String,
    pub inputs: Vec<String>,
    pub output: Option<String>,
    pub dead_letters: String,
    pub delivery: Delivery,
    pub pace: Pace,
    pub kafka: KafkaConnection,
    pub metrics: Metrics,
}

/// What is being handled when the end comes gets this long.
const FAREWELL: Duration = Duration::from_secs(25);

/// Consumes until SIGTERM or SIGINT, then commits what it has handled and leaves the group.
pub async fn run<A: App>(arguments: AppArguments, app: A) -> Result<()> {
    let options = arguments.postgres.options(A::SCHEMA.name)?;
    let pool =
        PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5)).connect_lazy_with(options);
    let metrics = Metrics::new(A::SCHEMA.name);
    let consumer = Consumer::new(&arguments, app, pool.clone(), metrics.clone());
    let (stop_sender, stop) = watch::channel(false);
    let (schema_sender, schema) = watch::channel(tables_not_yet_looked_at());
    let (state_sender, state) = watch::channel(ConsumerState::Starting);
    let consuming_stop = stop.clone();
    let consuming = tokio::spawn(async move {
        tokio::select! {
            () = prepare_tables(&A::SCHEMA, &pool, &schema_sender) => {}
            () = stopped(consuming_stop.clone()) => return,
        }
        consumer.run(state_sender, consuming_stop).await;
    });
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    tracing::info!(address = %arguments.listen, group = arguments.group, "consuming");
    let router = probes(Health { metrics, consumer: state, schema });
    let serving = tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).into_future());
    wait_for_signal().await?;
    tracing::info!("stopping");
    stop_sender.send_replace(true);
    if timeout(FAREWELL, async { tokio::join!(serving, consuming) }).await.is_err() {
        tracing::warn!(seconds = FAREWELL.as_secs(), "stopped in the middle of a batch");
    }
    Ok(())
}

impl<A: App> Consumer<A> {
    fn new(arguments: &AppArguments, app: A, pool: PgPool, metrics: Metrics) -> Consumer<A> {
        let dead_letters =
            arguments.dead_letters.clone().unwrap_or_else(|| format!("{}-dead-letters", arguments.group));
        let named = |names: &[String]| names.iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>();
        Consumer {
            app: Arc::new(app),
            pool,
            group: arguments.group.clone(),
            inputs: named(&arguments.inputs),
            output: named(&arguments.outputs).into_iter().find(|topic| *topic != dead_letters),
            dead_letters,
            delivery: arguments.delivery,
            pace: arguments.pace,
            kafka: arguments.kafka.clone(),
            metrics,
        }
    }

    /// Runs until `stop` becomes true. Whatever fails, consumer and producer are dropped, and records are read again from
    /// the committed positions.
    pub async fn run(self, state: watch::Sender<ConsumerState>, stop: watch::Receiver<bool>) {
        let consumer = Arc::new(self);
        let mut wait = Duration::from_millis(250);
        while !*stop.borrow() {
            let session = Session::new(consumer.clone(), state.clone(), stop.clone());
            let outcome = tokio::task::spawn_blocking(move || session.run()).await;
            let error = match outcome {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(panic) => anyhow::Error::from(panic),
            };
            consumer.metrics.failures.inc();
            let why = format!("{error:#}");
            tracing::warn!(error = why, retry_in_ms = wait.as_millis() as u64, "consumer failed");
            state.send_replace(ConsumerState::Failing(why));
            tokio::select! {
                () = sleep(wait) => {}
                () = stopped(stop.clone()) => return,
            }
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }
}
