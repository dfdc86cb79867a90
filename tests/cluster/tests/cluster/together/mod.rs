//! Tests that have views and topics of their own and run side by side.

mod apps;
mod bad_input;
mod change;
mod documentation;
mod joins;
mod lifecycle;
mod resets;
mod rollouts;
mod secured;
