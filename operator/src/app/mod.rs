//! Decisions about apps: pure functions from what was asked and seen to what to do and say. No client, no clock.
//!
//! The shape is that of views, and what is alike is theirs: topics, time, what could not be asked, troubles, the rhythm of
//! rounds. What differs: nothing is built beside what runs. An app has one group, which is stopped, moved and started.

pub mod action;
mod conditions;
pub mod deletion;
pub mod desired;
pub mod forecast;
pub mod ledger;
pub mod name;
pub mod observed;
pub mod plan;
pub mod question;
pub mod replay;
pub mod reset;
pub mod resetting;
pub mod spec;
pub mod status;
pub mod workload;
