//! A type as Postgres's catalogue names it: also those that views cannot use, because they take part in resolution.

use millrace_contract::SqlType;
use std::fmt;

/// The `typname` of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PgType(pub &'static str);

impl PgType {
    /// A string literal or NULL whose type its surroundings decide.
    pub const UNKNOWN: PgType = PgType("unknown");
    pub const TEXT: PgType = PgType("text");

    /// The catalogue's name of a type that views can use.
    pub const fn of(ty: SqlType) -> PgType {
        PgType(match ty {
            SqlType::Boolean => "bool",
            SqlType::SmallInt => "int2",
            SqlType::Integer => "int4",
            SqlType::BigInt => "int8",
            SqlType::Real => "float4",
            SqlType::DoublePrecision => "float8",
            SqlType::Numeric => "numeric",
            SqlType::Text => "text",
            SqlType::Date => "date",
            SqlType::Time => "time",
            SqlType::Timestamp => "timestamp",
            SqlType::TimestampTz => "timestamptz",
            SqlType::Uuid => "uuid",
            SqlType::Jsonb => "jsonb",
        })
    }

    /// The type, when views can use it.
    pub fn sql_type(self) -> Option<SqlType> {
        SqlType::ALL.into_iter().find(|ty| PgType::of(*ty) == self)
    }

    /// `any`, `anyelement` and their like: places that take what they are given.
    pub fn is_any(self) -> bool {
        matches!(self.0, "any" | "anyelement" | "anycompatible" | "anynonarray" | "anycompatiblenonarray")
    }
}

impl fmt::Display for PgType {
    /// As Postgres prints the type in its messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.sql_type(), self.0) {
            (Some(SqlType::Time), _) => f.write_str("time without time zone"),
            (Some(SqlType::Timestamp), _) => f.write_str("timestamp without time zone"),
            (Some(SqlType::TimestampTz), _) => f.write_str("timestamp with time zone"),
            (Some(ty), _) => f.write_str(ty.name()),
            (None, name) => f.write_str(name),
        }
    }
}
