//! The column types a view can use, each meaning exactly what Postgres means by it.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A Postgres type that sources, expressions and results can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SqlType {
    #[serde(rename = "boolean")]
    Boolean,
    #[serde(rename = "smallint")]
    SmallInt,
    #[serde(rename = "integer")]
    Integer,
    #[serde(rename = "bigint")]
    BigInt,
    #[serde(rename = "real")]
    Real,
    #[serde(rename = "double precision")]
    DoublePrecision,
    /// Finite values only: `NaN` and the infinities are refused where they would enter.
    #[serde(rename = "numeric")]
    Numeric,
    #[serde(rename = "text")]
    Text,
    #[serde(rename = "date")]
    Date,
    #[serde(rename = "time")]
    Time,
    #[serde(rename = "timestamp")]
    Timestamp,
    #[serde(rename = "timestamptz")]
    TimestampTz,
    #[serde(rename = "uuid")]
    Uuid,
    #[serde(rename = "jsonb")]
    Jsonb,
}

impl SqlType {
    /// Every type, in the order of the documentation.
    pub const ALL: [SqlType; 14] = [
        SqlType::Boolean,
        SqlType::SmallInt,
        SqlType::Integer,
        SqlType::BigInt,
        SqlType::Real,
        SqlType::DoublePrecision,
        SqlType::Numeric,
        SqlType::Text,
        SqlType::Date,
        SqlType::Time,
        SqlType::Timestamp,
        SqlType::TimestampTz,
        SqlType::Uuid,
        SqlType::Jsonb,
    ];

    /// The name in SQL, which is also the name in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            SqlType::Boolean => "boolean",
            SqlType::SmallInt => "smallint",
            SqlType::Integer => "integer",
            SqlType::BigInt => "bigint",
            SqlType::Real => "real",
            SqlType::DoublePrecision => "double precision",
            SqlType::Numeric => "numeric",
            SqlType::Text => "text",
            SqlType::Date => "date",
            SqlType::Time => "time",
            SqlType::Timestamp => "timestamp",
            SqlType::TimestampTz => "timestamptz",
            SqlType::Uuid => "uuid",
            SqlType::Jsonb => "jsonb",
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A type name that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "type {0:?} is not known; write one of boolean, smallint, integer, bigint, real, double precision, numeric, text, date, time, timestamp, timestamptz, uuid, jsonb"
)]
pub struct UnknownType(pub String);

impl FromStr for SqlType {
    type Err = UnknownType;

    fn from_str(name: &str) -> Result<Self, UnknownType> {
        SqlType::ALL.into_iter().find(|ty| ty.name() == name).ok_or_else(|| UnknownType(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_back_from_its_name() {
        for ty in SqlType::ALL {
            assert_eq!(ty.name().parse(), Ok(ty));
            assert_eq!(serde_json::to_string(&ty).expect("a unit variant serialises"), format!("\"{}\"", ty.name()));
        }
        assert_eq!("int8".parse::<SqlType>(), Err(UnknownType("int8".into())));
    }
}
