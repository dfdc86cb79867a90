//! Why Postgres did not do what it was told: it was busy and will do it later, or something is wrong.

use crate::view::trouble::Trouble;
use millrace_crds::Reason;
use std::{error::Error, io::ErrorKind};

#[derive(Debug)]
pub enum Refusal {
    Busy(String),
    Trouble(Trouble),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Refusal {
        let sqlx::Error::Database(database) = &error else {
            return Refusal::Trouble(Trouble::sink(Reason::PostgresUnreachable, silence(&error)));
        };
        let said = database.message();
        let trouble = |reason, sentence| Refusal::Trouble(Trouble::sink(reason, sentence));
        match database.code().as_deref().unwrap_or_default() {
            // Lock timeout, deadlock, serialisation.
            "55P03" | "40P01" | "40001" => Refusal::Busy("locks that others hold in Postgres".to_owned()),
            "28P01" | "28000" => trouble(
                Reason::PostgresAuthenticationFailed,
                format!(
                    "Postgres refused the login: {said}; correct the user and the password in the connection's Secret"
                ),
            ),
            "42501" => trouble(
                Reason::PostgresNotAuthorized,
                format!(
                    "Postgres refused a statement: {said}; give the operator's role the right, see docs/operations.md"
                ),
            ),
            "42P07" => trouble(
                Reason::TargetExists,
                format!(
                    "{said}, and Millrace did not make it; rename or drop it, or make the resource again with another target"
                ),
            ),
            "3D000" => trouble(
                Reason::PostgresUnreachable,
                format!(
                    "Postgres has no such database: {said}; correct dbname in the connection's Secret, or create it"
                ),
            ),
            // Connections, resources, an operator's intervention: they pass.
            code if ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => {
                trouble(Reason::PostgresUnreachable, format!("Postgres cannot serve now: {said}"))
            }
            code => trouble(Reason::Unknown, format!("Postgres refused a statement: {said} (SQLSTATE {code})")),
        }
    }
}

/// Why there is no conversation with Postgres.
fn silence(error: &sqlx::Error) -> String {
    let said = chain(error);
    // What rustls refuses, such as a certificate, comes as invalid data.
    let refused_by_tls = match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == ErrorKind::InvalidData,
        _ => false,
    };
    if refused_by_tls {
        format!("no TLS with Postgres: {said}; correct host, sslmode or ca.crt in the connection's Secret")
    } else {
        format!("Postgres does not answer: {said}")
    }
}

/// The whole chain of causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
