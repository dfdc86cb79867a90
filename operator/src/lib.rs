//! The operator: turns MaterializedViews into topics, workers and Postgres schemas, and StreamApps into topics, instances
//! and positions of their groups, and keeps them true.

pub mod app;
mod apps;
pub mod config;
pub mod controller;
mod questions;
pub mod telemetry;
pub mod view;
pub mod world;
