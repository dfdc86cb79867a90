//! Freshness: from a producer's call to the moment at which a reader can see the row.

use crate::{product::Running, topic::producer, views::USER_VIEW};
use anyhow::{Context, Result, ensure};
use millrace_demo_users::load::Population;
use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use rdkafka::producer::{BaseRecord, Producer};
use sqlx::{Connection, PgConnection, Row};
use std::{
    fmt,
    path::Path,
    time::{Duration, Instant},
};

const TOPIC: &str = "user-events";

pub struct Latency {
    pub records: usize,
    pub median: Duration,
    pub p99: Duration,
    pub worst: Duration,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { records, median, p99, worst } = self;
        write!(f, "p50 {median:.1?}, p99 {p99:.1?}, worst {worst:.1?} of {records} records")
    }
}

/// Every tenth record's id is looked for in the view; polled every 2 ms, which is part of the figure.
pub async fn measure(
    postgres: &TemporaryPostgres,
    brokers: &str,
    kafka: &TemporaryKafka,
    worker: &Path,
    rate: u64,
    seconds: u64,
) -> Result<Latency> {
    kafka.admin().delete_topics(&[TOPIC], &Default::default()).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    kafka.create_topic(TOPIC, 6, &[]).await;
    let database = postgres.new_owned_database().await;
    let running = Running::start(&database, brokers, worker, USER_VIEW, 1).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let rows = running.rows_table();
    let mut reader = PgConnection::connect(&database.superuser_uri).await?;
    let population = Population { seed: 2, users: rate * seconds, first_id: 1, update_percent: 0, delete_percent: 0 };
    let brokers = brokers.to_owned();
    let (sent, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let sending = tokio::task::spawn_blocking(move || -> Result<()> {
        let producer = producer(&brokers, "1")?;
        let start = Instant::now();
        for (index, event) in population.events().enumerate() {
            let due = start + Duration::from_secs_f64(index as f64 / rate as f64);
            producer.poll(due.saturating_duration_since(Instant::now()));
            let now = Instant::now();
            producer.send(BaseRecord::to(TOPIC).key(&event.key).payload(&event.value)).map_err(|(error, _)| error)?;
            if index % 10 == 0 {
                sent.send((event.key.parse::<i64>()?, now)).ok().context("the reader listens")?;
            }
        }
        producer.flush(Duration::from_secs(60))?;
        Ok(())
    });
    let mut waiting: Vec<(i64, Instant)> = Vec::new();
    let mut latencies = Vec::new();
    let expected = (rate * seconds).div_ceil(10) as usize;
    let limit = Instant::now() + Duration::from_secs(seconds + 60);
    let sql = format!("SELECT id FROM {rows} WHERE id = ANY($1)");
    while latencies.len() < expected {
        ensure!(Instant::now() < limit, "{} of {expected} records were seen in time", latencies.len());
        while let Ok(next) = arrivals.try_recv() {
            waiting.push(next);
        }
        let ids: Vec<i64> = waiting.iter().map(|(id, _)| *id).collect();
        let found = sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(&ids).fetch_all(&mut reader).await?;
        let now = Instant::now();
        let found: std::collections::HashSet<i64> = found.iter().map(|row| row.get(0)).collect();
        waiting.retain(|(id, at)| {
            let seen = found.contains(id);
            if seen {
                latencies.push(now - *at);
            }
            !seen
        });
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    sending.await??;
    drop(running);
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    Ok(Latency { records: latencies.len(), median: at(0.5), p99: at(0.99), worst: at(1.0) })
}
