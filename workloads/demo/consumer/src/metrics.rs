//! What an app counts, in Prometheus's text format.

use prometheus::{IntCounter, IntGauge, Registry, TextEncoder};

#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    pub records: IntCounter,
    pub repeated: IntCounter,
    pub sent: IntCounter,
    pub dead_letters: IntCounter,
    pub failures: IntCounter,
    pub partitions: IntGauge,
}

impl Metrics {
    /// The names begin with `prefix`.
    pub fn new(prefix: &str) -> Metrics {
        let counter = |rest: &str, help: &str| {
            IntCounter::new(format!("{prefix}_{rest}"), help).expect("the name is well-formed")
        };
        let metrics = Metrics {
            registry: Registry::new(),
            records: counter("records_total", "Records read and dealt with"),
            repeated: counter("repeated_events_total", "Events that had been handled before, and changed nothing"),
            sent: counter("sent_records_total", "Records sent to the output topic"),
            dead_letters: counter("dead_letters_total", "Records that could not be applied"),
            failures: counter("failures_total", "Times the consumer had to begin anew"),
            partitions: IntGauge::new(format!("{prefix}_partitions"), "Partitions that this instance reads")
                .expect("the name is well-formed"),
        };
        let counters = [&metrics.records, &metrics.repeated, &metrics.sent, &metrics.dead_letters, &metrics.failures];
        for counter in counters {
            metrics.registry.register(Box::new(counter.clone())).expect("the names differ");
        }
        metrics.registry.register(Box::new(metrics.partitions.clone())).expect("the names differ");
        metrics
    }

    pub fn to_text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).expect("every metric has a text form")
    }
}
