//! What the tests of the compiler share: a source with a column of every type.

#![allow(dead_code)]

pub mod grammar;
pub mod oracle;

use millrace_contract::{
    SqlType,
    source::{Format, KeyFormat, Origin, SourceColumn, SourceKind},
};
use millrace_sql::{CompileError, Compiled, SourceDecl, ViewQuery, compile};

/// A column of every type, by a short name.
pub const EVERY_TYPE: [(&str, SqlType); 14] = [
    ("bo", SqlType::Boolean),
    ("i2", SqlType::SmallInt),
    ("i4", SqlType::Integer),
    ("i8", SqlType::BigInt),
    ("f4", SqlType::Real),
    ("f8", SqlType::DoublePrecision),
    ("nu", SqlType::Numeric),
    ("tx", SqlType::Text),
    ("da", SqlType::Date),
    ("ti", SqlType::Time),
    ("ts", SqlType::Timestamp),
    ("tz", SqlType::TimestampTz),
    ("uu", SqlType::Uuid),
    ("js", SqlType::Jsonb),
];

pub fn source(name: &str, kind: SourceKind, columns: &[(&str, SqlType)], key: &[&str]) -> SourceDecl {
    SourceDecl {
        name: name.into(),
        topic: format!("{name}-events"),
        kind,
        format: Format::Json,
        key_format: if kind == SourceKind::Table && key.len() == 1 { KeyFormat::Text } else { KeyFormat::Json },
        key: key.iter().map(|part| (*part).to_owned()).collect(),
        delete_when: None,
        columns: columns
            .iter()
            .map(|(name, ty)| SourceColumn {
                name: (*name).to_owned(),
                ty: *ty,
                origin: Origin::Path(vec![(*name).to_owned()]),
            })
            .collect(),
    }
}

pub fn compiled(query: &str, sources: Vec<SourceDecl>) -> Result<Compiled, CompileError> {
    compile(&ViewQuery { query, sources, time_zone: "Asia/Seoul" })
}
