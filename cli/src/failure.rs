//! Why a command did not do what it was asked, and what to do about it.

use kube::Error;
use std::{error, io, process::ExitCode};

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("no cluster is known: {0}; name one with --kubeconfig, with --context or in KUBECONFIG")]
    NoCluster(String),
    #[error(
        "{server} does not answer: {reason}; `kubectl cluster-info` shows whether it is up, --context chooses another \
         cluster"
    )]
    Unreachable { server: String, reason: String },
    #[error("{server} does not know you: {reason}; log in again, or choose another --context")]
    NotLoggedIn { server: String, reason: String },
    #[error("you may not: {0}; the role `view` of the namespace lets you look, `edit` lets you decide")]
    Forbidden(String),
    #[error("the cluster knows no MaterializedView; install Millrace there, or choose another --context")]
    NotInstalled,
    #[error("there is no MaterializedView {name} in the namespace {namespace}; `millrace status -A` shows every one")]
    NoSuchView { namespace: String, name: String },
    #[error("there is no StreamApp {name} in the namespace {namespace}; `kubectl get sapp -A` shows every one")]
    NoSuchApp { namespace: String, name: String },
    /// By the API server.
    #[error("{0}")]
    RefusedAtOnce(String),
    #[error("the API server's answer is not understood: {0}; install the `millrace` of the operator's version")]
    NotUnderstood(String),
    /// By what the view is, or by the operator.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    TimedOut(String),
    #[error("the standard output takes nothing: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::TimedOut(_) => ExitCode::from(3),
            Failure::NoCluster(_)
            | Failure::Unreachable { .. }
            | Failure::NotLoggedIn { .. }
            | Failure::Forbidden(_)
            | Failure::NotInstalled
            | Failure::NoSuchView { .. }
            | Failure::NoSuchApp { .. }
            | Failure::RefusedAtOnce(_)
            | Failure::NotUnderstood(_)
            | Failure::Refused(_)
            | Failure::Output(_) => ExitCode::FAILURE,
        }
    }

    /// Whether whoever follows a view may wait for it to go away.
    pub fn passes(&self) -> bool {
        matches!(self, Failure::Unreachable { .. })
    }

    /// What `error` means to somebody who asked `server` for the view `name`, or for all views of `namespace`.
    pub fn of(error: Error, server: &str, namespace: &str, name: &str) -> Failure {
        let server = server.to_owned();
        match error {
            Error::Api(status) => match status.code {
                401 => Failure::NotLoggedIn { server, reason: status.message },
                403 => Failure::Forbidden(status.message),
                // A definition that is missing has no name to miss.
                404 if status.details.as_ref().is_some_and(|details| !details.name.is_empty()) => {
                    let namespace = namespace.to_owned();
                    match name.strip_prefix("sapp/") {
                        Some(app) => Failure::NoSuchApp { namespace, name: app.to_owned() },
                        None => Failure::NoSuchView { namespace, name: name.to_owned() },
                    }
                }
                404 => Failure::NotInstalled,
                500.. => Failure::Unreachable { server, reason: status.message },
                _ => Failure::RefusedAtOnce(status.message),
            },
            Error::Auth(error) => Failure::NotLoggedIn { server, reason: deepest(&error) },
            Error::SerdeError(error) => Failure::NotUnderstood(error.to_string()),
            other => Failure::Unreachable { server, reason: deepest(&other) },
        }
    }
}

/// The cause of the causes: those above it repeat it.
fn deepest(error: &dyn error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use kube::core::Status;
    use serde_json::json;

    fn check(status: serde_json::Value, expected: &Expect) {
        let status: Status = serde_json::from_value(status).expect("a status");
        let failure = Failure::of(Error::Api(status.boxed()), "https://cluster", "shop", "user-view");
        expected.assert_eq(&format!("{failure}\n"));
    }

    #[test]
    fn what_the_api_server_says_becomes_a_sentence_that_says_what_to_do() {
        check(
            json!({"code": 404, "reason": "NotFound", "details": {"name": "user-view"}}),
            &expect![[r#"
                there is no MaterializedView user-view in the namespace shop; `millrace status -A` shows every one
            "#]],
        );
        check(
            json!({"code": 404, "message": "404 page not found"}),
            &expect![[r#"
                the cluster knows no MaterializedView; install Millrace there, or choose another --context
            "#]],
        );
        check(
            json!({"code": 403, "reason": "Forbidden", "message": "User \"guest\" cannot patch it"}),
            &expect![[r#"
                you may not: User "guest" cannot patch it; the role `view` of the namespace lets you look, `edit` lets you decide
            "#]],
        );
        check(
            json!({"code": 401, "reason": "Unauthorized", "message": "Unauthorized"}),
            &expect![[r#"
                https://cluster does not know you: Unauthorized; log in again, or choose another --context
            "#]],
        );
        check(
            json!({"code": 422, "reason": "Invalid", "message": "spec.replay.id: 재생"}),
            &expect![[r#"
                spec.replay.id: 재생
            "#]],
        );
        check(
            json!({"code": 503, "message": "starting"}),
            &expect![[r#"
                https://cluster does not answer: starting; `kubectl cluster-info` shows whether it is up, --context chooses another cluster
            "#]],
        );
    }
}
