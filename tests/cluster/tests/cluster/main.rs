//! The product on a real cluster: what a person types, and what the tables then show.

mod alone;
mod soak;
mod together;
