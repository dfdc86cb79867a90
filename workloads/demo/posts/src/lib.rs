//! The demo post service: posts in its own Postgres table, their events on a Kafka topic. Who has written them it asks the
//! view that Millrace keeps of the users: no service calls another.

pub mod api;
pub mod event;
pub mod input;
pub mod post;
pub mod service;
pub mod store;
