//! What the demo's services share: a REST interface over tables of their own, whose changes reach a topic through an
//! outbox; probes, metrics and a graceful end; and the sending of made-up records.

pub mod connections;
pub mod failure;
pub mod health;
pub mod input;
pub mod lifecycle;
pub mod load;
pub mod metrics;
pub mod outbox;
pub mod page;
pub mod relay;
pub mod schema;
pub mod sender;
pub mod service;
pub mod topic;
