//! Log lines: JSON, one event a line, to standard output.

use tracing_subscriber::EnvFilter;

/// Starts the log. A filter that cannot be read is `info`.
pub fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_target(false).init();
}
