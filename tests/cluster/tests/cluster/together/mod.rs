//! Tests that have views and topics of their own and run side by side.

mod bad_input;
mod change;
mod documentation;
mod lifecycle;
mod rollouts;
mod secured;
