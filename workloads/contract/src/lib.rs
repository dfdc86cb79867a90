//! What the operator and the workers agree on: the plan of a view, its revisions, and the names in the catalog.
//!
//! Values only: no clock, no client, no async. The operator writes these values, the workers read them.

pub mod catalog;
pub mod connection;
pub mod expr;
pub mod faults;
pub mod ident;
pub mod node;
pub mod plan;
pub mod revision;
pub mod source;
pub mod table;
mod topics;
pub mod types;

pub use expr::Expr;
pub use node::Node;
pub use plan::Plan;
pub use source::Source;
pub use table::Table;
pub use topics::Topics;
pub use types::SqlType;
