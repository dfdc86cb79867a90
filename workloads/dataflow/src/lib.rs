//! The change engine: values and functions with Postgres's meaning, and operators that turn records into writes.
//!
//! No async, no IO, no clock: a record's way through a plan is a pure function of records and stored state.

mod changes;
pub mod driver;
pub mod evaluate;
pub mod function;
mod keys;
pub mod laws;
pub mod memory;
mod operator;
pub mod records;
pub mod value;
mod version;

pub use changes::{Request, Wants, Write};
pub use driver::{Dataflow, Epoch, Mapped, PlanError};
pub use evaluate::{Context, EvalError, evaluate};
pub use function::{Function, Sql, function, functions};
pub use operator::map::Rejected;
pub use records::Records;
pub use value::{ColumnBuilder, ValueError, arrow_type, print};
pub use version::Version;
