//! Measures in one run on one machine, side by side, and prints the report.
//!
//! `cargo build --release --workspace --bin millrace-worker --bin millrace-operator --bin millrace-bench`, then
//! `millrace-bench views`, `millrace-bench cut-over` or `millrace-bench operator`.

#![allow(clippy::print_stdout)] // a report is what this program is for

mod cut_over;
mod freshness;
mod operator;
mod product;
mod raw;
mod topic;
mod usage;
mod views;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use millrace_demo_users::load::Population;
use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use std::path::{Path, PathBuf};

/// What Millrace costs, and what it makes readers wait for.
#[derive(Debug, Parser)]
#[command(name = "millrace-bench")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Records per second into user_view and department_stats, and how old a row is when it can be read.
    Views(Views),
    /// How long readers wait while a revision goes live, with two long readers open.
    CutOver {
        /// How often.
        #[arg(long, default_value_t = 100)]
        times: usize,
    },
    /// The operator with many views: memory, writes at rest, how soon it acts, how soon it is back.
    Operator {
        #[arg(long, default_value_t = 1_000)]
        views: usize,
        /// The operator program; beside this program if not given.
        #[arg(long)]
        program: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Views {
    /// Distinct users, one record each.
    #[arg(long, default_value_t = 1_000_000)]
    users: u64,
    /// Records a second for the measurement of freshness.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// Seconds for which freshness is measured.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The worker program; beside this program if not given.
    #[arg(long)]
    worker: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let CommandLine { command } = CommandLine::parse();
    println!("machine: {} cores, {}", std::thread::available_parallelism()?, usage::machine_memory()?);
    match command {
        Command::Views(options) => measure_views(&options).await,
        Command::CutOver { times } => {
            let postgres = tokio::task::spawn_blocking(TemporaryPostgres::start).await?;
            for waits in cut_over::measure(&postgres, times).await? {
                println!("{waits}");
            }
            Ok(())
        }
        Command::Operator { views, program } => {
            let program = program_of(program.as_deref(), "millrace-operator")?;
            let kafka = tokio::task::spawn_blocking(TemporaryKafka::start).await?;
            let postgres = tokio::task::spawn_blocking(TemporaryPostgres::start).await?;
            operator::measure(&program, &kafka, &postgres, views).await
        }
    }
}

/// The program that was named, or the one beside this one.
fn program_of(named: Option<&Path>, name: &str) -> Result<PathBuf> {
    let beside =
        || -> Result<PathBuf> { Ok(std::env::current_exe()?.parent().context("a program has a folder")?.join(name)) };
    let program = named.map(Path::to_owned).map_or_else(beside, Ok)?;
    anyhow::ensure!(
        program.exists(),
        "{} is not there; build it with `cargo build --release --workspace --bin {name}`",
        program.display()
    );
    Ok(program)
}

async fn measure_views(options: &Views) -> Result<()> {
    let worker = program_of(options.worker.as_deref(), "millrace-worker")?;
    let population = Population { seed: 1, users: options.users, first_id: 1, update_percent: 0, delete_percent: 0 };

    let kafka = tokio::task::spawn_blocking(TemporaryKafka::start).await?;
    let postgres = tokio::task::spawn_blocking(TemporaryPostgres::start).await?;
    println!("three brokers and one Postgres on this machine, fsync off for both sides of every comparison");
    let brokers = kafka.bootstrap_servers();
    kafka.create_topic("user-events", 6, &[]).await;
    topic::fill(&brokers, "user-events", population)?;
    println!("{} records in 6 partitions of user-events\n", options.users);

    let raw = raw::measure(&postgres, population).await?;
    for loader in &raw {
        println!("raw   {:<34} {}", loader.name, loader.cost);
    }
    let limit = |copies: bool| {
        let loaders = raw.iter().filter(|loader| loader.name.contains("COPY") == copies);
        loaders.map(|loader| loader.cost.rate()).fold(0.0, f64::max)
    };
    for view in [views::USER_VIEW, views::DEPARTMENT_STATS] {
        for workers in [1, 2] {
            let cost = product::drain(&postgres, &brokers, &worker, view, workers, options.users).await?;
            println!(
                "view  {:<17} {workers} worker(s)      {cost}  {:.2} of upserts, {:.2} of COPY",
                view.table,
                cost.rate() / limit(false),
                cost.rate() / limit(true)
            );
        }
    }
    let latency = freshness::measure(&postgres, &brokers, &kafka, &worker, options.rate, options.seconds).await?;
    println!("\nfreshness at {} records/s: {latency}", options.rate);
    Ok(())
}
