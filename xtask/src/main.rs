//! `cargo xtask`: brings the whole system up on this machine, shows it, tests it, and takes it down.
#![allow(clippy::print_stdout, reason = "a command line program talks to a person")]

mod binaries;
mod cargo;
mod checkout;
mod cluster;
mod command_line;
mod content;
mod engine;
mod freezer;
mod host;
mod images;
mod invocation;
mod kind_config;
mod load;
mod node_image;
mod packages;
mod postgres;
mod programs;
mod recipe;
mod release;
mod sabotage;
mod shop;
mod stage;
mod status;
mod test;
mod test_programs;
mod test_results;
mod test_run;
mod up;
mod versions;
mod workload;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command_line::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
