//! The REST interface: /api/users.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{StatusCode, header},
    middleware,
    response::IntoResponse,
    routing::get,
};
use serde_json::json;
use tokio::sync::Notify;

use crate::{
    failure::Failure,
    health::{self, Health},
    input::{Invalid, UserInput},
    metrics,
    store::{Page, Store},
    user::User,
};

#[derive(Clone)]
struct Api {
    store: Store,
    bell: Arc<Notify>,
}

const LARGEST_BODY: usize = 64 * 1024;
const LARGEST_PAGE: i64 = 500;
const USUAL_PAGE: i64 = 50;

/// `bell` is rung after every change, so that the relay looks at once.
pub fn router(health: Health, bell: Arc<Notify>) -> Router {
    let count = middleware::from_fn_with_state(health.metrics.clone(), metrics::count_request);
    let users = Router::new()
        .route("/api/users", get(list).post(create))
        .route("/api/users/{id}", get(one).put(replace).delete(delete))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Api { store: health.store.clone(), bell });
    let probes = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(health);
    users.route_layer(count).merge(probes)
}

async fn list(
    State(api): State<Api>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<impl IntoResponse, Failure> {
    let page = page(&query)?;
    let users = api.store.list(page).await?;
    // A page that is not full is the last one.
    let next = users.last().filter(|_| users.len() as i64 == page.limit).map(|user| user.id);
    Ok(Json(json!({"users": users, "next": next})))
}

async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<User>, Failure> {
    Ok(Json(api.store.get(user_id(&id)?).await?))
}

async fn create(State(api): State<Api>, body: Bytes) -> Result<impl IntoResponse, Failure> {
    let user = api.store.create(&UserInput::for_creation(&body)?).await?;
    api.bell.notify_one();
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/users/{}", user.id))], Json(user)))
}

async fn replace(State(api): State<Api>, Path(id): Path<String>, body: Bytes) -> Result<Json<User>, Failure> {
    let user = api.store.replace(user_id(&id)?, &UserInput::for_replacement(&body)?).await?;
    api.bell.notify_one();
    Ok(Json(user))
}

async fn delete(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    api.store.delete(user_id(&id)?).await?;
    api.bell.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

fn user_id(text: &str) -> Result<i64, Invalid> {
    let expected = "a positive whole number";
    text.parse().ok().filter(|id| *id > 0).ok_or_else(|| Invalid::new("id", format!("{text:?}"), expected))
}

fn page(query: &HashMap<String, String>) -> Result<Page, Invalid> {
    if let Some(unknown) = query.keys().find(|name| !["after", "limit"].contains(&name.as_str())) {
        return Err(Invalid::new(unknown, "an unknown parameter", "only after and limit"));
    }
    let number = |name: &str, otherwise: i64, least: i64, most: i64, expected: &str| match query.get(name) {
        None => Ok(otherwise),
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| Invalid::new(name, format!("{text:?}"), expected)),
    };
    Ok(Page {
        after: number("after", 0, 0, i64::MAX, "the id after which the page starts")?,
        limit: number("limit", USUAL_PAGE, 1, LARGEST_PAGE, "a whole number from 1 to 500")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Result<Page, &str>) {
        let query = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(page(&query).map_err(|invalid| invalid.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_page_is_fifty_users_from_the_start_unless_said_otherwise() {
        check("", Ok(Page { after: 0, limit: 50 }));
        check("after=7&limit=500", Ok(Page { after: 7, limit: 500 }));
        check("limit=501", Err(r#"limit: found "501"; expected a whole number from 1 to 500"#));
        check("limit=0", Err(r#"limit: found "0"; expected a whole number from 1 to 500"#));
        check("after=일곱", Err(r#"after: found "일곱"; expected the id after which the page starts"#));
        check("page=2", Err("page: found an unknown parameter; expected only after and limit"));
    }

    #[test]
    fn an_id_is_a_positive_whole_number() {
        assert_eq!(user_id("7").unwrap(), 7);
        for wrong in ["0", "-1", "7.5", "홍길동", "9223372036854775808"] {
            assert_eq!(user_id(wrong).unwrap_err().field, "id", "{wrong}");
        }
    }
}
