//! `millrace-demo-users`: `serve` runs the user service, `load` fills its topic and compares the view.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};
use millrace_demo_users::{load, service};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(version, about = "Users in Postgres, their changes on a Kafka topic")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve /api/users and relay every change to the topic.
    Serve(Box<service::ServeArguments>),
    /// Send made-up users straight to the topic, then compare the view with what was sent.
    Load(load::LoadArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("MILLRACE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let outcome = match CommandLine::parse().command {
        Command::Serve(arguments) => {
            tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
            service::serve(*arguments).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Load(arguments) => {
            let colours = std::io::stderr().is_terminal();
            tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(colours).with_env_filter(filter).init();
            load::run(arguments).await
        }
    };
    outcome.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "stopped");
        ExitCode::from(2)
    })
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
