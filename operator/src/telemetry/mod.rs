//! What the operator says of itself: logs, metrics, probes.

mod apps;
mod logs;
mod metrics;
mod probes;

pub use logs::start_logs;
pub use metrics::Metrics;
pub use probes::serve;
