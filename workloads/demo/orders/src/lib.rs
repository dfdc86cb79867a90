//! The demo order service: orders in its own Postgres table, their events on a Kafka topic, cancelled when the inventory
//! says so; and a loader that fills that topic.

pub mod api;
pub mod cancellations;
pub mod event;
pub mod input;
pub mod load;
pub mod order;
pub mod service;
pub mod store;
