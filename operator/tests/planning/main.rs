//! Plans as text: what a person wrote and what was seen, and what is done, waited for and wrong because of it.

#[path = "../addresses/mod.rs"]
mod addresses;
mod building;
mod comparisons;
mod decisions;
mod deletion;
mod gates;
mod manifest;
mod pace;
mod questions;
mod replays;
mod rollouts;
mod scene;
mod seen;
mod standby;
mod statuses;
mod strategies;
mod troubles;
mod verifications;
