//! Postgres's type system as data, and the rules of its manual's chapter 10 over it.

mod catalogue;
mod choose;
mod coercion;
mod common_type;
mod pg_type;

pub use catalogue::{Overload, OverloadKind, Volatility, catalogue};
pub use choose::{Choice, choose_function, choose_operator};
pub use coercion::{CastContext, Coercion, can_coerce, coercion};
pub use common_type::common_type;
pub use pg_type::PgType;
