//! The Postgres side of a worker: one connection, the lease of its tasks, and epochs committed as one transaction each.

mod catalog;
mod codec;
mod connection;
mod epoch;
mod error;
mod fence;
mod lease;
mod problem;
mod prune;
mod sabotage;
mod statement;
mod store;

pub use catalog::{ErrorsPolicy, Loaded, Survey, TaskRow};
pub use connection::connect;
pub use epoch::{Advance, Committed, DeadLetter, Epoch};
pub use error::{LoadError, StoreError};
pub use fence::LAST_EVENT_TIME;
pub use lease::Claimed;
pub use problem::Problem;
pub use store::{RevisionName, Store};
