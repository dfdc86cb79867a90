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
    /// What the client sent is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It names something that is not there.
    #[error(transparent)]
    Missing(Invalid),
    /// It contradicts something that is there.
    #[error(transparent)]
    Conflict(Invalid),
    /// The answer needs something that somebody must first make.
    #[error(transparent)]
    Unavailable(Invalid),
    #[error("postgres")]
    Postgres(#[from] sqlx::Error),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, Invalid { field, found, expected }) = match self {
            Failure::Invalid(invalid) => (StatusCode::BAD_REQUEST, invalid),
            Failure::Missing(missing) => (StatusCode::NOT_FOUND, missing),
            Failure::Conflict(conflict) => (StatusCode::CONFLICT, conflict),
            Failure::Unavailable(unavailable) => (StatusCode::SERVICE_UNAVAILABLE, unavailable),
            Failure::Postgres(error) => {
                tracing::warn!(error = format!("{error:#}"), "request failed in postgres");
                let found = "no answer, or a refusal that the log holds";
                let expected = "a database that can be reached; nothing was changed, or /readyz says more: try again";
                (StatusCode::SERVICE_UNAVAILABLE, Invalid::new("postgres", found, expected))
            }
        };
        (status, Json(json!({"error": {"field": field, "found": found, "expected": expected}}))).into_response()
    }
}
