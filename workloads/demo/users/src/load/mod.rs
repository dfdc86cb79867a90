//! The load: made-up users, sent straight to the topic, and the check that a view shows exactly them.

mod catch_up;
mod comparison;
mod events;
mod view_name;

use std::{
    io::Write,
    num::NonZeroU64,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use millrace_demo_kit::{
    connections::KafkaConnection,
    load::{Sending, Sent},
    topic,
};
use sqlx::postgres::PgPoolOptions;

pub use catch_up::CatchUp;
pub use comparison::Comparison;
pub use events::{Events, Population};
pub use view_name::ViewName;

#[derive(Args)]
pub struct LoadArguments {
    /// How many different users
    #[arg(long)]
    users: NonZeroU64,
    /// Records per second; as fast as the brokers take them if not given
    #[arg(long)]
    rate: Option<NonZeroU64>,
    #[arg(long, env = "MILLRACE_BOOTSTRAP_SERVERS", default_value = "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094")]
    bootstrap: String,
    #[arg(long, default_value = "user-events")]
    topic: String,
    /// postgres://… of the database that holds the view; needed to compare
    #[arg(long, env = "MILLRACE_DEMO_USERS_POSTGRES_URI", hide_env_values = true)]
    postgres: Option<String>,
    /// schema.name of the view to compare
    #[arg(long, default_value = "shop.user_view")]
    view: ViewName,
    /// The same seed makes the same users
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ids count up from here; users of the REST interface start at 1
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..1 << 46))]
    first_id: i64,
    /// Updates for every hundred users
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=1000))]
    updates: u32,
    /// Deleted of every hundred users
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100))]
    deletes: u32,
    /// Only send
    #[arg(long)]
    no_compare: bool,
    /// Only compare with what an earlier load with the same arguments has sent
    #[arg(long, conflicts_with = "no_compare")]
    no_send: bool,
    /// Give up when the view makes no progress for so many seconds
    #[arg(long, default_value_t = 120)]
    patience: u64,
}

/// The view shows something else than what was sent.
const DIFFERENT: u8 = 1;

/// Exit code 1 if the view differs from what was sent.
pub async fn run(arguments: LoadArguments) -> Result<ExitCode> {
    let population = Population {
        seed: arguments.seed,
        users: arguments.users.get(),
        first_id: arguments.first_id,
        update_percent: arguments.updates,
        delete_percent: arguments.deletes,
    };
    let postgres = match (&arguments.postgres, arguments.no_compare) {
        (_, true) => None,
        (Some(uri), false) => Some(PgPoolOptions::new().max_connections(2).connect_lazy(uri).context("--postgres")?),
        (None, false) => bail!("--postgres is missing; expected the URI of the view's database, or --no-compare"),
    };
    let sent = if arguments.no_send { None } else { Some(send(&arguments, population).await?) };
    let Some(pool) = postgres else { return Ok(ExitCode::SUCCESS) };

    let patience = Duration::from_secs(arguments.patience);
    let start = Instant::now();
    let catch_up = CatchUp { pool: &pool, view: &arguments.view, topic: &arguments.topic, population, patience };
    let comparison = catch_up.compare_when_caught_up(sent.map(|sent| sent.newest_offsets)).await?;
    say(&format!("the view had caught up and was compared after {:.1} s", start.elapsed().as_secs_f64()))?;
    say(&format!("{}: {comparison}", arguments.view))?;
    Ok(if comparison.is_equal() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

async fn send(arguments: &LoadArguments, population: Population) -> Result<Sent> {
    let kafka = KafkaConnection::plaintext(&arguments.bootstrap);
    topic::ensure(&kafka.client(), &arguments.topic)
        .await
        .with_context(|| format!("kafka at {}", arguments.bootstrap))?;
    let sending = Sending { kafka, topic: arguments.topic.clone(), rate: arguments.rate };
    let start = Instant::now();
    let send_all = move || sending.send_all(population.events(), population.expected_events());
    let sent = tokio::task::spawn_blocking(send_all).await.context("sending panicked")??;
    let seconds = start.elapsed().as_secs_f64();
    say(&format!(
        "sent {} records of {} users to {} in {seconds:.1} s, {:.0} a second",
        sent.records,
        population.users,
        arguments.topic,
        sent.records as f64 / seconds
    ))?;
    Ok(sent)
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output")
}
