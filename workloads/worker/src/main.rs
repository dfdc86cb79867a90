//! A worker: polls Kafka, applies a plan, commits to Postgres; one loop, until it is told to end.

mod commit;
mod configuration;
mod ending;
mod errors;
mod prepared;
mod reader;
mod run;
mod session;
mod share;
mod task;
mod telemetry;

use clap::Parser;
use configuration::Configuration;

fn main() -> anyhow::Result<()> {
    let configuration = Configuration::parse();
    telemetry::log::start(&configuration.log);
    telemetry::memory::bound_arenas();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(run::run(configuration));
    // A read that waits for a broker is not waited for.
    runtime.shutdown_background();
    ended
}
