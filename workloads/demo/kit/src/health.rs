//! Whether the service lives, whether it can serve, and why not.

use std::time::Duration;

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use serde_json::json;
use sqlx::PgPool;
use tokio::{sync::watch, time::timeout};

use crate::{metrics::Metrics, outbox, relay::RelayState};

#[derive(Clone)]
pub struct Health {
    pub pool: PgPool,
    pub metrics: Metrics,
    pub relay: watch::Receiver<RelayState>,
    /// None once the tables are there; until then why they are not.
    pub schema: watch::Receiver<Option<String>>,
}

/// /healthz, /readyz and /metrics.
pub fn probes(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn alive() -> &'static str {
    "alive\n"
}

/// Requests need Postgres and the tables. Kafka's absence only lets the outbox grow, so it is told but does
/// not take the service out of its load balancer.
async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let schema = health.schema.borrow().clone();
    let postgres = match schema {
        Some(why) => Err(why),
        None => match timeout(Duration::from_secs(2), sqlx::query("SELECT 1").execute(&health.pool)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer within 2 s".to_owned()),
        },
    };
    let relay = match &*health.relay.borrow() {
        RelayState::Starting => "starting".to_owned(),
        RelayState::Standby => "standby: another replica relays".to_owned(),
        RelayState::Relaying => "relaying".to_owned(),
        RelayState::Failing(why) => format!("failing, tries again: {why}"),
    };
    let status = if postgres.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": postgres.is_ok(),
        "postgres": postgres.err().unwrap_or_else(|| "reached".to_owned()),
        "relay": relay,
    });
    (status, Json(body))
}

async fn metrics(State(health): State<Health>) -> String {
    let backlog = timeout(Duration::from_secs(2), outbox::backlog(&health.pool)).await;
    health.metrics.to_text(backlog.ok().and_then(Result::ok))
}
