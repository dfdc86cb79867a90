//! Logs: one JSON object a line.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// Starts logging what `filter` lets through.
pub fn start_logs(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("MILLRACE_LOG is {filter:?}; write for example info or info,millrace_operator=debug")
    })?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}
