//! Probes and metrics over HTTP.

use super::Metrics;
use axum::{Router, routing::get};
use std::{net::SocketAddr, sync::Arc};

/// Serves `/healthz`, `/readyz` and `/metrics` until the process ends. One that stands by is ready, too: it is ready to
/// lead.
pub async fn serve(listen: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(|| async { "ok" }))
        .route("/metrics", get(move || async move { metrics.text() }));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "probes not served");
        }
    });
    Ok(())
}
