//! Whether an app lives, whether it consumes, and why not.

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use serde_json::json;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// What the consumer is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerState {
    Starting,
    Consuming,
    /// Tries again by itself.
    Failing(String),
}

#[derive(Clone)]
pub struct Health {
    pub metrics: Metrics,
    pub consumer: watch::Receiver<ConsumerState>,
    /// None once the tables are there; until then why they are not.
    pub schema: watch::Receiver<Option<String>>,
}

/// /healthz, /readyz and /metrics.
pub fn probes(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async |State(health): State<Health>| health.metrics.to_text()))
        .with_state(health)
}

/// Ready is who has joined the group, with partitions or without.
async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let consumer = health.consumer.borrow().clone();
    let said = match health.schema.borrow().clone() {
        Some(why) => why,
        None => match &consumer {
            ConsumerState::Starting => "joining the group".to_owned(),
            ConsumerState::Consuming => "consuming".to_owned(),
            ConsumerState::Failing(why) => format!("failing, tries again: {why}"),
        },
    };
    let ready = consumer == ConsumerState::Consuming;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready, "consumer": said})))
}
