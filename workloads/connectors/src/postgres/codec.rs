//! Columns in Postgres's binary format: arrays out, rows in.

mod parameter;
mod rows;

pub use parameter::{Column, element_bytes};
pub use rows::read_rows;

/// Days and microseconds from 1970 to 2000, where Postgres counts from.
const DAYS_TO_2000: i32 = 10_957;
const MICROSECONDS_TO_2000: i64 = 946_684_800_000_000;
