//! The relay: the one task, in all replicas of the service, that moves events from the outbox to the topic.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use crate::{
    connections::KafkaConnection,
    metrics::Metrics,
    outbox::{self, OutboxRow},
    sender::Sender,
    topic,
};

/// What the relay of this replica is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayState {
    Starting,
    /// Another replica relays.
    Standby,
    Relaying,
    /// Tries again by itself.
    Failing(String),
}

#[derive(Clone)]
pub struct Relay {
    pub postgres: PgConnectOptions,
    pub kafka: KafkaConnection,
    pub topic: String,
    /// One for each outbox: two services with the same id fence each other.
    pub transactional_id: String,
    /// Rung by this replica's own writes; those of other replicas are found by looking.
    pub bell: Arc<Notify>,
    pub metrics: Metrics,
}

const BATCH: i64 = 500;
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const STANDBY_LOOK_AGAIN: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// A statement that takes longer is a database that is gone.
const STATEMENT_PATIENCE: Duration = Duration::from_secs(15);

impl Relay {
    /// Runs until `stop` becomes true. Whatever fails, the connection (and with it the lock) and the sender
    /// are dropped and everything begins anew from what the outbox says.
    pub async fn run(self, state: watch::Sender<RelayState>, mut stop: watch::Receiver<bool>) {
        let mut wait = Duration::from_millis(250);
        loop {
            let began = Instant::now();
            let outcome = tokio::select! {
                outcome = self.lead(&state) => outcome,
                // A batch that is cut off here is not marked sent: the next relay sends it again.
                _ = stop.wait_for(|stop| *stop) => return,
            };
            self.metrics.relay_at_work.set(0);
            let Err(error) = outcome;
            self.metrics.relay_failures.inc();
            let why = format!("{error:#}");
            tracing::warn!(error = why, retry_in_ms = wait.as_millis() as u64, "relay failed");
            state.send_replace(RelayState::Failing(why));
            tokio::select! {
                () = sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            wait = if began.elapsed() > Duration::from_secs(60) {
                Duration::from_millis(250)
            } else {
                (wait * 2).min(Duration::from_secs(10))
            };
        }
    }

    async fn lead(&self, state: &watch::Sender<RelayState>) -> Result<std::convert::Infallible> {
        topic::ensure(&self.kafka.client(), &self.topic).await.context("kafka")?;
        let mut connection = in_time(PgConnection::connect_with(&self.postgres)).await?;
        while !take_lock(&mut connection).await? {
            state.send_replace(RelayState::Standby);
            sleep(STANDBY_LOOK_AGAIN).await;
        }
        let mut sender = self.start_sender().await?;
        tracing::info!(topic = self.topic, "relay at work");
        state.send_replace(RelayState::Relaying);
        self.metrics.relay_at_work.set(1);
        let mut pruned = Instant::now();
        loop {
            let rows = in_time(outbox::unsent(&mut connection, BATCH)).await?;
            if !rows.is_empty() {
                let count = rows.len() as u64;
                let sent;
                (sender, sent) = send(sender, rows).await?;
                in_time(outbox::mark_sent(&mut connection, &sent)).await?;
                self.metrics.events_sent.inc_by(count);
                continue;
            }
            if pruned.elapsed() > PRUNE_EVERY {
                in_time(outbox::prune(&mut connection, 10_000)).await?;
                pruned = Instant::now();
            }
            // Either way the outbox is looked at again.
            let _ = timeout(LOOK_AGAIN, self.bell.notified()).await;
        }
    }

    async fn start_sender(&self) -> Result<Sender> {
        let relay = self.clone();
        tokio::task::spawn_blocking(move || Sender::start(&relay.kafka, &relay.topic, &relay.transactional_id))
            .await
            .context("the sender panicked")?
            .context("kafka")
    }
}

async fn send(sender: Sender, rows: Vec<OutboxRow>) -> Result<(Sender, Vec<OutboxRow>)> {
    tokio::task::spawn_blocking(move || sender.send(&rows).map(|()| (sender, rows)))
        .await
        .context("the sender panicked")?
        .context("kafka")
}

async fn take_lock(connection: &mut PgConnection) -> Result<bool> {
    // Held by the session of the relay that is at work; one lock for each outbox.
    let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended('relay of ' || current_schema(), 0))");
    in_time(lock.fetch_one(connection)).await
}

async fn in_time<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
    timeout(STATEMENT_PATIENCE, statement)
        .await
        .with_context(|| format!("postgres gave no answer within {STATEMENT_PATIENCE:?}"))?
        .context("postgres")
}
