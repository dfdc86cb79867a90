//! The REST interface: /api/users.

use std::{collections::HashMap, sync::Arc};

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
use tokio::sync::Notify;

use crate::{input::UserInput, store::Store, user::User};

#[derive(Clone)]
struct Api {
    store: Store,
    bell: Arc<Notify>,
}

const LARGEST_BODY: usize = 64 * 1024;

pub fn routes(core: Core) -> Router {
    Router::new()
        .route("/api/users", get(list).post(create))
        .route("/api/users/{id}", get(one).put(replace).delete(delete))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Api { store: Store::new(core.pool), bell: core.bell })
}

async fn list(
    State(api): State<Api>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<impl IntoResponse, Failure> {
    let page = Page::parse(&query)?;
    let users = api.store.list(page).await?;
    let next = page.next(users.iter().map(|user| user.id));
    Ok(Json(json!({"users": users, "next": next})))
}

async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<User>, Failure> {
    Ok(Json(api.store.get(input::id(&id)?).await?))
}

async fn create(State(api): State<Api>, body: Bytes) -> Result<impl IntoResponse, Failure> {
    let user = api.store.create(&UserInput::for_creation(&body)?).await?;
    api.bell.notify_one();
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/users/{}", user.id))], Json(user)))
}

async fn replace(State(api): State<Api>, Path(id): Path<String>, body: Bytes) -> Result<Json<User>, Failure> {
    let user = api.store.replace(input::id(&id)?, &UserInput::for_replacement(&body)?).await?;
    api.bell.notify_one();
    Ok(Json(user))
}

async fn delete(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    api.store.delete(input::id(&id)?).await?;
    api.bell.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
