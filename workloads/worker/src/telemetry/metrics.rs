//! Numbers of a worker, in Prometheus's terms.

use super::memory::resident_bytes;
use millrace_connectors::{decode::Reason, postgres::RevisionName};
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::collections::HashMap;

pub struct Metrics {
    registry: Registry,
    pub records: IntCounter,
    pub bytes: IntCounter,
    pub epochs: IntCounter,
    pub rows: IntCounter,
    pub commit_seconds: Histogram,
    /// From a record's timestamp to the commit that made it visible, of the newest record of each epoch and partition.
    pub freshness_seconds: Histogram,
    pub dead_letters: IntCounterVec,
    /// The dataflow dropped and rebuilt from the store, by cause.
    pub restarts: IntCounterVec,
    pub lag: IntGaugeVec,
    pub position: IntGaugeVec,
    pub tasks: IntGauge,
    pub problems: IntGauge,
    resident: IntGauge,
}

impl Metrics {
    pub fn new(name: &RevisionName) -> Result<Metrics, prometheus::Error> {
        let labels = HashMap::from([
            ("namespace".to_owned(), name.namespace.clone()),
            ("view".to_owned(), name.view.clone()),
            ("revision".to_owned(), name.revision.clone()),
        ]);
        let registry = Registry::new_custom(Some("millrace_worker".into()), Some(labels))?;
        let counter = |name: &str, help: &str| register(&registry, IntCounter::new(name, help)?);
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help)?);
        let counters = |name: &str, help: &str, label: &str| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), &[label])?)
        };
        let gauges = |name: &str, help: &str, label: &str| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), &[label])?)
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            register(&registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
        };
        let metrics = Metrics {
            records: counter("records_total", "Records applied or made dead letters.")?,
            bytes: counter("bytes_total", "Bytes of their keys, values and headers.")?,
            epochs: counter("epochs_total", "Transactions that advanced a position.")?,
            rows: counter("rows_written_total", "Rows written to state and result tables.")?,
            commit_seconds: histogram(
                "commit_seconds",
                "Time of an epoch's transaction.",
                &[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0],
            )?,
            freshness_seconds: histogram(
                "freshness_seconds",
                "From a record's timestamp to its commit, of the newest record of an epoch and partition.",
                &[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0],
            )?,
            dead_letters: counters("dead_letters_total", "Records that were not applied.", "reason")?,
            restarts: counters("dataflow_restarts_total", "Times everything was read again from the store.", "cause")?,
            lag: gauges("lag_records", "Records between the position and the last stable offset.", "partition")?,
            position: gauges("position", "The next offset to be read.", "partition")?,
            tasks: gauge("tasks_held", "Tasks held.")?,
            problems: gauge("tasks_standing_still", "Tasks held that stand still; see millrace.progress.problem.")?,
            resident: gauge("resident_memory_bytes", "Resident memory.")?,
            registry,
        };
        for reason in Reason::ALL {
            metrics.dead_letters.with_label_values(&[reason.name()]);
        }
        Ok(metrics)
    }

    pub fn text(&self) -> String {
        self.resident.set(resident_bytes());
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => format!("# metrics cannot be written: {error}\n"),
        }
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
