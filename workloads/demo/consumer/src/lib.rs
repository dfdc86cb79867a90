//! The loop that the shop's consumers share: records in, effects in Postgres once for each event, records out, and
//! positions committed as the chosen delivery says.

pub mod app;
mod batch;
mod effects;
mod emitter;
pub mod health;
mod listener;
pub mod metrics;
mod run;
pub mod runner;

pub use app::{App, Event, Outgoing, Reading};
pub use runner::{AppArguments, Consumer, Delivery, Pace, run};

/// The loop's own tables; a step of every app's [`millrace_demo_kit::schema::Schema`].
pub use effects::TABLES;
