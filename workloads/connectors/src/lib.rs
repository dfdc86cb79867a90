//! Where a view meets the world: Kafka records become columns, changes become rows of Postgres.

pub mod decode;
pub mod kafka;
pub mod postgres;
pub mod raw;

pub use raw::{RawRecord, RawRecords};
