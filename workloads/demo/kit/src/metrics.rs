//! What the service counts, in Prometheus's text format.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::outbox::Backlog;

#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    outbox_backlog: IntGauge,
    outbox_oldest: Gauge,
    pub events_sent: IntCounter,
    pub relay_failures: IntCounter,
    pub relay_at_work: IntGauge,
}

impl Metrics {
    /// The names begin with `prefix`.
    pub fn new(prefix: &str) -> Metrics {
        let name = |rest: &str| format!("{prefix}_{rest}");
        let metrics = Metrics {
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new(name("http_requests_total"), "Requests answered"),
                &["method", "route", "status"],
            )
            .expect("name and labels are well-formed"),
            request_seconds: HistogramVec::new(
                HistogramOpts::new(name("http_request_seconds"), "Time from request to answer"),
                &["method", "route"],
            )
            .expect("name and labels are well-formed"),
            outbox_backlog: gauge(name("outbox_backlog_rows"), "Events committed but not yet marked as sent"),
            outbox_oldest: Gauge::new(name("outbox_oldest_seconds"), "Age of the oldest event not yet sent")
                .expect("the name is well-formed"),
            events_sent: counter(name("events_sent_total"), "Events that the brokers have acknowledged"),
            relay_failures: counter(name("relay_failures_total"), "Times the relay had to begin anew"),
            relay_at_work: gauge(name("relay_at_work"), "1 while this replica is the one that relays"),
        };
        let collectors: [Box<dyn prometheus::core::Collector>; 7] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.request_seconds.clone()),
            Box::new(metrics.outbox_backlog.clone()),
            Box::new(metrics.outbox_oldest.clone()),
            Box::new(metrics.events_sent.clone()),
            Box::new(metrics.relay_failures.clone()),
            Box::new(metrics.relay_at_work.clone()),
        ];
        for collector in collectors {
            metrics.registry.register(collector).expect("the names differ");
        }
        metrics
    }

    /// Without a backlog (Postgres is away) the last one known stands.
    pub fn to_text(&self, backlog: Option<Backlog>) -> String {
        if let Some(Backlog { rows, oldest_seconds }) = backlog {
            self.outbox_backlog.set(rows);
            self.outbox_oldest.set(oldest_seconds);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather()).expect("every metric has a text form")
    }
}

/// Counts a request under the route's pattern, never under the path that was asked for.
pub async fn count_request(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().to_string();
    let start = Instant::now();
    let response = next.run(request).await;
    metrics.request_seconds.with_label_values(&[&method, &route]).observe(start.elapsed().as_secs_f64());
    metrics.requests.with_label_values(&[method.as_str(), route.as_str(), response.status().as_str()]).inc();
    response
}

fn gauge(name: String, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect("the name is well-formed")
}

fn counter(name: String, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect("the name is well-formed")
}
