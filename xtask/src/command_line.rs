//! What a person can type after `cargo xtask`.

use std::num::NonZeroU64;
use std::time::Instant;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::checkout::Checkout;
use crate::cluster;
use crate::engine;
use crate::images;
use crate::load;
use crate::postgres;
use crate::programs::Programs;
use crate::recipe::Recipe;
use crate::status;
use crate::test::{self, TestOptions};
use crate::up;

/// Brings Millrace up on this machine, shows it, loads it, tests it, and takes it down.
///
/// Everything that is made lies in $MILLRACE_CACHE (default ~/.cache/millrace): programs, logs, build results.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A running system: kind cluster of four nodes, three Kafka brokers, Postgres, the operator, the shop.
    ///
    /// Uses what is there (a Docker engine; kind, kubectl and helm of fitting versions; a node image) and makes what
    /// is not, after saying so. Run it again at any time: only what changed is built, loaded and rolled out, and a
    /// cluster that a restart of the machine stopped is started.
    Up,
    /// Removes the cluster with everything in it, and nothing else of yours.
    Down,
    /// One page: nodes, pods, views and apps with their lag, consumer groups, the shop's numbers, the addresses here.
    Status,
    /// Prints the address of the cluster's Postgres, for `psql "$(cargo xtask uri)"`.
    Uri,
    /// Sends users to the topic user-events, then compares shop.user_view with what it sent; or sends orders to
    /// order-events, then waits until the apps have dealt with each.
    Load {
        /// How many distinct users; 452000 when there are no orders either.
        #[arg(long)]
        users: Option<NonZeroU64>,
        /// How many orders.
        #[arg(long)]
        orders: Option<NonZeroU64>,
        /// Records a second; as fast as the brokers take them when left out.
        #[arg(long)]
        rate: Option<NonZeroU64>,
    },
    /// Builds the images, without a cluster.
    Images {
        /// Only fills images/*/stage and images/kafka/libs, so that plain `docker build` takes every images/ folder.
        #[arg(long)]
        stage_only: bool,
    },
    /// Every test: format, lints, unit and store tests, images, a cluster, the tests on it.
    Test(TestOptions),
}

pub fn run() -> Result<()> {
    let CommandLine { command } = CommandLine::parse();
    let checkout = Checkout::find()?;
    let started = Instant::now();
    let at_hand = || Programs::at_hand(&Recipe::read(&checkout)?);
    match command {
        Command::Up => {
            up::up(&checkout)?;
            println!("{:>7.1} s  in all", started.elapsed().as_secs_f64());
            Ok(())
        }
        Command::Down => {
            if engine::version().is_none() {
                println!(
                    "no Docker engine answers, so no cluster runs; one that was stopped with the engine comes back with it"
                );
                return Ok(());
            }
            cluster::delete(&checkout, &at_hand()?)
        }
        Command::Status => status::print(&checkout, &at_hand()?),
        Command::Uri => {
            println!("{}", postgres::uri_on_host(&at_hand()?)?);
            Ok(())
        }
        Command::Load { users, orders, rate } => load::load(&checkout, &at_hand()?, users, orders, rate),
        Command::Images { stage_only: true } => images::stage_contexts(&checkout),
        Command::Images { stage_only: false } => images::ensure(&checkout).map(drop),
        Command::Test(options) => test::test(&checkout, &options),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::iter::once;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn what_the_documentation_says_can_be_typed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let pages =
            ["docs", "examples"].map(|folder| fs::read_dir(root.join(folder)).expect("a folder of the project"));
        let pages: Vec<PathBuf> = pages.into_iter().flatten().flatten().map(|page| page.path()).collect();
        let mut found = 0;
        for page in pages.iter().chain([&root.join("README.md")]) {
            let text = fs::read_to_string(page).expect("a page");
            for typed in
                text.split("cargo xtask ").skip(1).filter_map(|rest| rest.split(['\n', '`', '"', ')', '#']).next())
            {
                let parsed = CommandLine::try_parse_from(once("cargo xtask").chain(typed.split_whitespace()));
                assert!(parsed.is_ok(), "{}: `cargo xtask {typed}` cannot be typed", page.display());
                found += 1;
            }
        }
        assert!(found > 8, "only {found} commands were found");
    }
}
