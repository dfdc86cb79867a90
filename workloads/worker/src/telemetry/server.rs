//! /healthz, /readyz and /metrics.

use super::{health::Health, metrics::Metrics};
use anyhow::Context;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use std::{net::SocketAddr, sync::Arc};

#[derive(Clone)]
struct Shown {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

/// Starts to serve; returns once the address is bound.
pub async fn start(listen: SocketAddr, health: Arc<Health>, metrics: Arc<Metrics>) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(async |State(shown): State<Shown>| shown.metrics.text()))
        .with_state(Shown { health, metrics });
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("MILLRACE_LISTEN is {listen}, which cannot be listened on"))?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the probes are served no more");
        }
    });
    Ok(())
}

async fn healthz(State(shown): State<Shown>) -> (StatusCode, String) {
    match shown.health.dead() {
        None => (StatusCode::OK, "ok\n".into()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn readyz(State(shown): State<Shown>) -> (StatusCode, String) {
    match shown.health.dead().or_else(|| shown.health.not_ready().map(str::to_owned)) {
        None => (StatusCode::OK, "ok\n".into()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
