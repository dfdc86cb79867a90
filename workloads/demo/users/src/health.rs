//! Whether the service lives, whether it can serve, and why not.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde_json::json;
use tokio::{sync::watch, time::timeout};

use crate::{metrics::Metrics, outbox, relay::RelayState, store::Store};

#[derive(Clone)]
pub struct Health {
    pub store: Store,
    pub metrics: Metrics,
    pub relay: watch::Receiver<RelayState>,
    /// None once the tables are there; until then why they are not.
    pub schema: watch::Receiver<Option<String>>,
}

pub async fn alive() -> &'static str {
    "alive\n"
}

/// Requests need Postgres and the tables. Kafka's absence only lets the outbox grow, so it is told but does
/// not take the service out of its load balancer.
pub async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let schema = health.schema.borrow().clone();
    let postgres = match schema {
        Some(why) => Err(why),
        None => match timeout(Duration::from_secs(2), sqlx::query("SELECT 1").execute(health.store.pool())).await {
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

pub async fn metrics(State(health): State<Health>) -> String {
    let backlog = timeout(Duration::from_secs(2), outbox::backlog(health.store.pool())).await;
    health.metrics.to_text(backlog.ok().and_then(Result::ok))
}
