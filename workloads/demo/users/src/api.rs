//! The REST interface: /api/users.

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

use crate::{input::UserInput, store, user::User};

const LARGEST_BODY: usize = 64 * 1024;

pub fn routes(core: Core) -> Router {
    Router::new()
        .route("/api/users", get(list).post(create))
        .route("/api/users/{id}", get(one).put(replace).delete(delete))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(core)
}

async fn list(
    State(core): State<Core>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<impl IntoResponse, Failure> {
    let page = Page::parse(&query)?;
    let users = store::list(&core.pool, page).await?;
    let next = page.next(users.iter().map(|user| user.id));
    Ok(Json(json!({"users": users, "next": next})))
}

async fn one(State(core): State<Core>, Path(id): Path<String>) -> Result<Json<User>, Failure> {
    Ok(Json(store::get(&core.pool, input::id(&id)?).await?))
}

async fn create(State(core): State<Core>, body: Bytes) -> Result<impl IntoResponse, Failure> {
    let user = store::create(&core.pool, &UserInput::for_creation(&body)?).await?;
    core.announce_change();
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/users/{}", user.id))], Json(user)))
}

async fn replace(State(core): State<Core>, Path(id): Path<String>, body: Bytes) -> Result<Json<User>, Failure> {
    let user = store::replace(&core.pool, input::id(&id)?, &UserInput::for_replacement(&body)?).await?;
    core.announce_change();
    Ok(Json(user))
}

async fn delete(State(core): State<Core>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    store::delete(&core.pool, input::id(&id)?).await?;
    core.announce_change();
    Ok(StatusCode::NO_CONTENT)
}
