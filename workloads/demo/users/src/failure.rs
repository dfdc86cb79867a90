//! What a request can end with besides an answer, and its HTTP form: {"error": {field, found, expected}}.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::input::Invalid;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("no user has id {0}")]
    NoSuchUser(i64),
    #[error("another user has the email {0}")]
    EmailTaken(String),
    #[error("postgres")]
    Postgres(#[from] sqlx::Error),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, field, found, expected) = match self {
            Failure::Invalid(Invalid { field, found, expected }) => (StatusCode::BAD_REQUEST, field, found, expected),
            Failure::NoSuchUser(id) => {
                (StatusCode::NOT_FOUND, "id".to_owned(), id.to_string(), "the id of an existing user".to_owned())
            }
            Failure::EmailTaken(email) => {
                (StatusCode::CONFLICT, "email".to_owned(), email, "an address that no other user has".to_owned())
            }
            Failure::Postgres(error) => {
                tracing::warn!(error = format!("{error:#}"), "request failed in postgres");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "postgres".to_owned(),
                    "no answer, or a refusal that the log holds".to_owned(),
                    "a database that can be reached; nothing was changed, or /readyz says more: try again".to_owned(),
                )
            }
        };
        (status, Json(json!({"error": {"field": field, "found": found, "expected": expected}}))).into_response()
    }
}
