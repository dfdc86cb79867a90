//! The load: made-up orders, sent straight to the topic, and the check that the apps have dealt with each.

mod arrival;
mod events;

use std::{
    io::Write,
    num::NonZeroU64,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use millrace_demo_kit::{connections::KafkaConnection, load::Sending, topic};
use sqlx::postgres::PgPoolOptions;

pub use arrival::{APPS, App};
pub use events::Orders;

#[derive(Args)]
pub struct LoadArguments {
    /// How many orders
    #[arg(long)]
    orders: NonZeroU64,
    /// Records per second; as fast as the brokers take them if not given
    #[arg(long)]
    rate: Option<NonZeroU64>,
    #[arg(long, env = "MILLRACE_BOOTSTRAP_SERVERS", default_value = "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094")]
    bootstrap: String,
    #[arg(long, default_value = "order-events")]
    topic: String,
    /// postgres://… of the database that holds the apps' tables; needed to compare
    #[arg(long, env = "MILLRACE_DEMO_POSTGRES_URI", hide_env_values = true)]
    postgres: Option<String>,
    /// The same seed makes the same orders, which the apps take for repetitions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ids count up from here; orders of the REST interface start at 1
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..1 << 46))]
    first_id: i64,
    /// Only send
    #[arg(long)]
    no_compare: bool,
    /// Give an app up that makes no progress for so many seconds
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

/// An app has not dealt with every order.
const SHORT: u8 = 1;

/// Exit code 1 if an app that is there has not dealt with every order.
pub async fn run(arguments: LoadArguments) -> Result<ExitCode> {
    let LoadArguments { orders, rate, bootstrap, topic, postgres, seed, first_id, no_compare, patience } = arguments;
    let orders = Orders { seed, orders: orders.get(), first_id, first_user: 1_000_000 };
    let pool = match (&postgres, no_compare) {
        (_, true) => None,
        (Some(uri), false) => Some(PgPoolOptions::new().max_connections(2).connect_lazy(uri).context("--postgres")?),
        (None, false) => bail!("--postgres is missing; expected the URI of the apps' database, or --no-compare"),
    };
    let kafka = KafkaConnection::plaintext(&bootstrap);
    topic::ensure(&kafka.client(), &topic).await.with_context(|| format!("kafka at {bootstrap}"))?;
    let sending = Sending { kafka, topic: topic.clone(), rate };
    let start = Instant::now();
    let send_all = move || sending.send_all(orders.events(), orders.orders);
    let sent = tokio::task::spawn_blocking(send_all).await.context("sending panicked")??;
    let seconds = start.elapsed().as_secs_f64();
    say(&format!(
        "sent {} orders to {topic} in {seconds:.1} s, {:.0} a second",
        sent.records,
        sent.records as f64 / seconds
    ))?;

    let Some(pool) = pool else { return Ok(ExitCode::SUCCESS) };
    let mut short = false;
    for app in &APPS {
        if !app.is_there(&pool).await? {
            say(&format!("{}: no such app; kubectl apply -f examples/{}.yaml starts it", app.name, app.name))?;
            continue;
        }
        let arrived = app.wait_for(&pool, orders, Duration::from_secs(patience)).await?;
        short |= arrived != orders.orders;
        say(&format!("{}: {arrived} of {} orders", app.name, orders.orders))?;
    }
    Ok(if short { ExitCode::from(SHORT) } else { ExitCode::SUCCESS })
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output")
}
