//! Servers that tests start for themselves: a real Postgres and three real Kafka nodes, on loopback, that
//! vanish with the test process however it ends.
//!
//! A test that only needs *a* database or *a* topic takes [`TemporaryPostgres::database`] and
//! [`TemporaryKafka::shared`]: all tests of a process share one server, and the programs of a run share their brokers. A
//! test that kills, stops or restarts a server starts its own with `start()`.

mod guard;
mod jars;
mod kafka;
pub mod plans;
mod ports;
pub mod post_view;
mod postgres;
mod revision;
pub mod script;
mod server;

pub use jars::class_path;
pub use kafka::TemporaryKafka;
pub use postgres::{OwnedDatabase, TemporaryPostgres};
pub use revision::{StoredRevision, TopicOfRevision};
