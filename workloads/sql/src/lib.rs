//! SQL to plan: a query is parsed, bound and typed by Postgres's rules, and laid out as tables of a revision.
//!
//! Pure: no IO, no clock. What cannot be kept incrementally is refused here, with place, reason and a way round.

mod analysis;
mod assertion;
mod bind;
mod canonical;
mod clauses;
mod column_name;
mod compile;
mod constant;
mod documentation;
mod error;
mod explain;
mod from;
mod implementation;
mod layout;
mod operand;
mod parse;
mod postgres;
mod print;
mod prune;
mod readable;
mod relation;
mod rewrite;
mod scope;
mod select_list;
mod standard;
mod subquery;
mod tokens;
mod view_query;

pub use assertion::Assertion;
pub use documentation::documentation;
pub use error::CompileError;
pub use explain::explain;
pub use view_query::{Compiled, SourceDecl, ViewQuery, compile};
