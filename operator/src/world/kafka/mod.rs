//! Kafka: topics as they are, and as they are asked to be.

mod native;
mod topics;

pub use topics::{Admin, digest};
