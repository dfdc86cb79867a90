//! Loads: made-up records, sent straight to a topic.

mod progress;
mod sending;

pub use progress::Progress;
pub use sending::{Event, Sending, Sent};
