//! The programs of the shop as they are started, on real brokers and a real Postgres.

mod apps;
mod delivery;
mod orders;
mod stage;
mod streams;
mod users;
