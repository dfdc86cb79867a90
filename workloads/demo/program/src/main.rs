//! `millrace-demo`: every program of the shop in one, so that there is one to link, one image to build and one to load into
//! the nodes.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};
use millrace_demo_apps::{Analytics, Inventory, Notification};
use millrace_demo_consumer::AppArguments;
use millrace_demo_kit::service::ServeArguments;
use millrace_demo_orders as orders;
use millrace_demo_posts as posts;
use millrace_demo_users as users;
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(name = "millrace-demo", version, about = "The services and apps of a shop, and loads for them")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve /api/users and relay every change to the topic user-events.
    Users(Box<ServeArguments>),
    /// Serve /api/orders, relay their events to the topic order-events, and listen to the inventory.
    Orders(Box<ServeArguments>),
    /// Serve /api/posts and relay their events to the topic post-events.
    Posts(Box<ServeArguments>),
    /// Consume order events: tell customers what became of their orders.
    Notification(Box<AppArguments>),
    /// Consume order events: keep the stock, and ask for cancellations where it is short.
    Inventory {
        #[command(flatten)]
        inventory: Inventory,
        #[command(flatten)]
        app: Box<AppArguments>,
    },
    /// Consume order events: count what is sold.
    Analytics(Box<AppArguments>),
    /// Send made-up users straight to the topic, then compare the view with what was sent.
    LoadUsers(users::load::LoadArguments),
    /// Send made-up orders straight to the topic, then see whether the apps have dealt with each.
    LoadOrders(orders::load::LoadArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = CommandLine::parse().command;
    let filter = EnvFilter::try_from_env("MILLRACE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    if command.has_a_person_before_it() {
        let colours = std::io::stderr().is_terminal();
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(colours).with_env_filter(filter).init();
    } else {
        tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
    }
    command.run().await.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "stopped");
        ExitCode::from(2)
    })
}

impl Command {
    fn has_a_person_before_it(&self) -> bool {
        match self {
            Command::LoadUsers(_) | Command::LoadOrders(_) => true,
            Command::Users(_)
            | Command::Orders(_)
            | Command::Posts(_)
            | Command::Notification(_)
            | Command::Inventory { .. }
            | Command::Analytics(_) => false,
        }
    }

    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::LoadUsers(arguments) => return users::load::run(arguments).await,
            Command::LoadOrders(arguments) => return orders::load::run(arguments).await,
            Command::Users(arguments) => users::service::serve(*arguments).await?,
            Command::Orders(arguments) => orders::service::serve(*arguments).await?,
            Command::Posts(arguments) => posts::service::serve(*arguments).await?,
            Command::Notification(arguments) => millrace_demo_consumer::run(*arguments, Notification).await?,
            Command::Inventory { inventory, app } => millrace_demo_consumer::run(*app, inventory).await?,
            Command::Analytics(arguments) => millrace_demo_consumer::run(*arguments, Analytics).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::CommandLine;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }
}
