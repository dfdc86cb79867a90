//! The demo user service: users in its own Postgres table, their changes on a Kafka topic through a
//! transactional outbox, and a loader that fills that topic and checks the view made from it.

pub mod api;
pub mod connections;
pub mod event;
pub mod failure;
pub mod health;
pub mod input;
pub mod load;
pub mod metrics;
pub mod outbox;
pub mod relay;
pub mod schema;
pub mod sender;
pub mod service;
pub mod store;
pub mod topic;
pub mod user;
