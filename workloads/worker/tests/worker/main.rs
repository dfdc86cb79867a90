//! The worker as a process, on real brokers and a real Postgres. One program: the brokers are started once.

mod brokers;
mod common;
mod crash;
mod end_to_end;
mod errors;
mod growth;
mod holds;
mod identity;
mod joins;
mod limit;
mod pace;
