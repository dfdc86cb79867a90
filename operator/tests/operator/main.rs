//! The operator on real servers: Postgres everywhere, and an API server and Kafka where a whole operator runs.
//! One program: the clients' code is compiled once, and the brokers are started once.

mod apps;
mod comparisons;
mod database;
mod decisions;
mod gates;
mod lifecycle;
mod questions;
mod quiet;
mod readers;
mod replays;
mod roles;
mod sharing;
mod stage;
mod swaps;
mod troubles;
mod verification;
