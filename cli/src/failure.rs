//! Why a command did not do what it was asked, and what to do about it.

use kube::{Error, core::response::StatusDetails};
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
    #[error("you may not: {0}; the role `view` of the namespace lets you look, `edit` lets you ask and decide")]
    Forbidden(String),
    #[error("the cluster knows no {0}; install Millrace there, of this program's version, or choose another --context")]
    NotInstalled(String),
    #[error("there is no namespace {0}; `kubectl get namespaces` shows every one")]
    NoSuchNamespace(String),
    #[error("there is no {kind} {name} in the namespace {namespace}; `{look}` shows every one")]
    NotThere { kind: String, namespace: String, name: String, look: &'static str },
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
            | Failure::NotInstalled(_)
            | Failure::NoSuchNamespace(_)
            | Failure::NotThere { .. }
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

    /// Whether whoever read what is said has gone: a pager that was left, or `head`.
    pub fn is_heard_by_nobody(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What `error` means to somebody who looked for this.
    pub fn of(error: Error, sought: &Sought<'_>) -> Failure {
        let server = sought.server.to_owned();
        match error {
            Error::Api(status) => match status.code {
                401 => Failure::NotLoggedIn { server, reason: status.message },
                403 => Failure::Forbidden(status.message),
                404 => missing(status.details.as_ref(), sought),
                429 | 500.. => Failure::Unreachable { server, reason: status.message },
                _ => Failure::RefusedAtOnce(status.message),
            },
            Error::Auth(error) => Failure::NotLoggedIn { server, reason: deepest(&error) },
            Error::SerdeError(error) => Failure::NotUnderstood(error.to_string()),
            other => Failure::Unreachable { server, reason: deepest(&other) },
        }
    }
}

/// What somebody looks for; all that there are when it has no name.
pub struct Sought<'a> {
    pub server: &'a str,
    pub namespace: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
}

/// What is not there: the namespace, what was looked for, or its kind, which has no name to miss.
fn missing(details: Option<&StatusDetails>, sought: &Sought<'_>) -> Failure {
    let Sought { server: _, namespace, kind, name } = *sought;
    match details.filter(|details| !details.name.is_empty()) {
        Some(details) if details.kind == "namespaces" => Failure::NoSuchNamespace(namespace.to_owned()),
        Some(_) => Failure::NotThere {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            look: look_for(kind),
        },
        None => Failure::NotInstalled(kind.to_owned()),
    }
}

/// The command that shows every resource of a kind.
fn look_for(kind: &str) -> &'static str {
    match kind {
        "RolloutPlan" => "kubectl get mvplan -A",
        "StreamApp" => "kubectl get sapp -A",
        "StreamAppPlan" => "kubectl get sappplan -A",
        _ => "millrace status -A",
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
        check_sought("MaterializedView", "user-view", status, expected);
    }

    fn check_sought(kind: &str, name: &str, status: serde_json::Value, expected: &Expect) {
        let status: Status = serde_json::from_value(status).expect("a status");
        let sought = Sought { server: "https://cluster", namespace: "shop", kind, name };
        let failure = Failure::of(Error::Api(status.boxed()), &sought);
        expected.assert_eq(&format!("{failure}\n"));
    }

    #[test]
    fn a_pager_that_was_left_is_no_news() {
        assert!(Failure::Output(io::ErrorKind::BrokenPipe.into()).is_heard_by_nobody());
        assert!(!Failure::Output(io::ErrorKind::StorageFull.into()).is_heard_by_nobody());
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
                the cluster knows no MaterializedView; install Millrace there, of this program's version, or choose another --context
            "#]],
        );
        let of_a_question = |status, expected: &Expect| check_sought("RolloutPlan", "what-if", status, expected);
        of_a_question(
            json!({"code": 404, "message": "404 page not found"}),
            &expect![[r#"
                the cluster knows no RolloutPlan; install Millrace there, of this program's version, or choose another --context
            "#]],
        );
        of_a_question(
            json!({"code": 404, "reason": "NotFound", "details": {"name": "shop", "kind": "namespaces"}}),
            &expect![[r#"
                there is no namespace shop; `kubectl get namespaces` shows every one
            "#]],
        );
        of_a_question(
            json!({"code": 404, "reason": "NotFound", "details": {"name": "what-if", "kind": "rolloutplans"}}),
            &expect![[r#"
                there is no RolloutPlan what-if in the namespace shop; `kubectl get mvplan -A` shows every one
            "#]],
        );
        check_sought(
            "StreamApp",
            "inventory",
            json!({"code": 404, "reason": "NotFound", "details": {"name": "inventory", "kind": "streamapps"}}),
            &expect![[r#"
                there is no StreamApp inventory in the namespace shop; `kubectl get sapp -A` shows every one
            "#]],
        );
        check_sought(
            "StreamAppPlan",
            "what-if",
            json!({"code": 404, "reason": "NotFound", "details": {"name": "what-if", "kind": "streamappplans"}}),
            &expect![[r#"
                there is no StreamAppPlan what-if in the namespace shop; `kubectl get sappplan -A` shows every one
            "#]],
        );
        check(
            json!({"code": 403, "reason": "Forbidden", "message": "User \"guest\" cannot patch it"}),
            &expect![[r#"
                you may not: User "guest" cannot patch it; the role `view` of the namespace lets you look, `edit` lets you ask and decide
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
