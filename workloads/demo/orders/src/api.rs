//! The REST interface: /api/orders.

use std::collections::HashMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use millrace_demo_kit::{failure::Failure, input, page::Page, service::Core};
use serde_json::json;

use crate::{input::OrderInput, order::Order, store};

const LARGEST_BODY: usize = 64 * 1024;

pub fn routes(core: Core) -> Router {
    Router::new()
        .route("/api/orders", get(list).post(create))
        .route("/api/orders/{id}", get(one))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(core)
}

async fn list(
    State(core): State<Core>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<impl IntoResponse, Failure> {
    let page = Page::parse(&query)?;
    let orders = store::list(&core.pool, page).await?;
    let next = page.next(orders.iter().map(|order| order.id));
    Ok(Json(json!({"orders": orders, "next": next})))
}

async fn one(State(core): State<Core>, Path(id): Path<String>) -> Result<Json<Order>, Failure> {
    Ok(Json(store::get(&core.pool, input::id(&id)?).await?))
}

async fn create(State(core): State<Core>, body: Bytes) -> Result<impl IntoResponse, Failure> {
    let order = store::create(&core.pool, &OrderInput::parse(&body)?).await?;
    core.announce_change();
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/orders/{}", order.id))], Json(order)))
}
