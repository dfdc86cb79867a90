//! `millrace-demo`: every program of the shop in one, so that there is one to link, one image to build and one to load into
//! the nodes.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};
use millrace_demo_kit::service::ServeArguments;
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
    /// Send made-up users straight to the topic, then compare the view with what was sent.
    LoadUsers(users::load::LoadArguments),
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
            Command::LoadUsers(_) => true,
            Command::Users(_) => false,
        }
    }

    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::LoadUsers(arguments) => return users::load::run(arguments).await,
            Command::Users(arguments) => users::service::serve(*arguments).await?,
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
