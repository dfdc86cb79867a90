//! The REST interface: /api/posts.

use std::collections::HashMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use millrace_demo_kit::{failure::Failure, page::Page, service::Core};
use serde_json::{Value, json};

use crate::{input::PostInput, post::AuthoredPost, store};

const LARGEST_BODY: usize = 128 * 1024;

pub fn routes(core: Core) -> Router {
    Router::new()
        .route("/api/posts", post(create))
        .route("/api/posts/users", get(with_users))
        .route("/api/posts/by-department/{department}", get(by_department))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(core)
}

async fn create(State(core): State<Core>, body: Bytes) -> Result<impl IntoResponse, Failure> {
    let post = store::create(&core.pool, &PostInput::parse(&body)?).await?;
    core.announce_change();
    Ok((StatusCode::CREATED, Json(post)))
}

async fn with_users(
    State(core): State<Core>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Failure> {
    let page = Page::parse(&query)?;
    Ok(listing(page, store::with_users(&core.pool, page).await?))
}

async fn by_department(
    State(core): State<Core>,
    Path(department): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Failure> {
    let page = Page::parse(&query)?;
    Ok(listing(page, store::by_department(&core.pool, &department, page).await?))
}

fn listing(page: Page, posts: Vec<AuthoredPost>) -> Json<Value> {
    let next = page.next(posts.iter().map(|authored| authored.post.id));
    Json(json!({"posts": posts, "next": next}))
}
