//! The operator: turns MaterializedViews into topics, workers and Postgres schemas, and keeps them true.

pub mod config;
pub mod controller;
mod questions;
pub mod telemetry;
pub mod view;
pub mod world;
