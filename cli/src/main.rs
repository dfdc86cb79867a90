//! `millrace`: looks at views and apps, and says what people decide of them, for those who know kubectl.

mod app_page;
mod cluster;
mod command_line;
mod decision;
mod failure;
mod figures;
mod name;
mod output;
mod page;
mod plan;
mod replay;
mod status;
mod table;
mod verdict;
mod wait;

use clap::Parser;
use command_line::CommandLine;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match command_line::run(CommandLine::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_heard_by_nobody() {
                eprintln!("error: {failure}");
            }
            failure.exit_code()
        }
    }
}
