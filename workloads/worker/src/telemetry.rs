//! What a worker shows of itself: log lines, probes, metrics.

pub mod health;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod server;
