//! What can go wrong with the store, by what has to be done about it.

use crate::decode::Reason;
use millrace_contract::plan::PlanError;
use std::collections::BTreeMap;

/// An epoch or a statement that did not happen, or of which nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Some of the epoch's tasks are no longer ours, or the revision is not open; the transaction was rolled back.
    #[error("partitions {0:?} belong to another worker now, or the revision is not open")]
    Lost(Vec<i32>),
    /// The epoch would pass offsets that its partitions are held at; the transaction was rolled back.
    #[error("partitions are held at {0:?}")]
    Held(BTreeMap<i32, i64>),
    /// A row cannot be applied: rolled back, and it will be so every time.
    #[error("{detail}")]
    Row { reason: Reason, detail: String },
    /// The connection is to be dropped and everything read again from the store.
    #[error("postgres")]
    Postgres(#[source] sqlx::Error),
    #[error("postgres did not answer within {0} s")]
    Silent(u64),
}

/// A revision that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the catalog has no revision {revision} of view {namespace}/{view} that role {role} may see")]
    Absent { namespace: String, view: String, revision: String, role: String },
    #[error("the catalog has no table for this program; run the operator's migrations first")]
    NoCatalog(#[source] sqlx::Error),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("postgres")]
    Postgres(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether a smaller epoch may pass where this one did not: it took too long, waited too long for a lock, or met
    /// another in a deadlock.
    pub fn is_of_size(&self) -> bool {
        match self {
            StoreError::Silent(_) => true,
            StoreError::Postgres(sqlx::Error::Database(database)) => {
                matches!(database.code().as_deref(), Some("57014" | "55P03" | "40P01"))
            }
            StoreError::Postgres(_) | StoreError::Lost(_) | StoreError::Held(_) | StoreError::Row { .. } => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match refused(&error) {
            Some(detail) => StoreError::Row { reason: Reason::Refused, detail },
            None => StoreError::Postgres(error),
        }
    }
}

/// Postgres's sentence where it is the row that it does not take: SQLSTATE class 22 (data), 23 (constraint) or
/// 54 (limit).
fn refused(error: &sqlx::Error) -> Option<String> {
    let sqlx::Error::Database(database) = error else { return None };
    let code = database.code()?;
    matches!(&code[..2], "22" | "23" | "54").then(|| format!("{} (SQLSTATE {code})", database.message()))
}
