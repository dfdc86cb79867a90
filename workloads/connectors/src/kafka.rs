//! The Kafka side of a worker: records in, positions out, and whether the topic is still the one it was.

mod admin;
mod client;
mod identity;
mod murmur2;
mod source;

pub use client::{ClientName, client_config};
pub use identity::{TopicIdentity, same_topic_id};
pub use murmur2::partition_of;
pub use source::{KafkaSource, Polled};
