//! The demo user service: users in its own Postgres table, their changes on a Kafka topic, and a loader that fills that
//! topic and checks the view made from it.

pub mod api;
pub mod event;
pub mod input;
pub mod load;
pub mod service;
pub mod store;
pub mod user;
