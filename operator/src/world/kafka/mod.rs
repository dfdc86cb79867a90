//! Kafka: topics as they are, and as they are asked to be.

mod group;
mod native;
mod native_group;
mod topics;

pub use topics::{Admin, digest};
