//! Decisions about views: pure functions from what was asked and seen to what to do and say. No client, no clock.

pub mod action;
pub mod building;
pub mod deletion;
pub mod desired;
mod freshness;
pub mod goal;
pub mod known;
pub mod moment;
pub mod name;
pub mod observed;
pub mod plan;
pub mod position;
pub mod promotion;
mod quantity;
pub mod replay;
pub mod retiring;
pub mod rhythm;
pub mod shown;
pub mod spec;
pub mod start;
pub mod status;
pub mod tenancy;
pub mod tombstones;
pub mod topics;
pub mod trouble;
pub mod upkeep;
pub mod workers;
