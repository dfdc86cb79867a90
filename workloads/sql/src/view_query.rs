//! What is compiled: a query and the sources that it may name.

use crate::CompileError;
use millrace_contract::{
    Plan,
    revision::revision_name,
    source::{Format, KeyFormat, SourceColumn, SourceKind},
};

/// A view as its manifest declares it.
#[derive(Debug, Clone)]
pub struct ViewQuery<'a> {
    pub query: &'a str,
    pub sources: Vec<SourceDecl>,
    /// IANA name.
    pub time_zone: &'a str,
}

/// A source as its manifest declares it: every column, whether the query uses it or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDecl {
    pub name: String,
    pub topic: String,
    pub kind: SourceKind,
    pub format: Format,
    pub key_format: KeyFormat,
    /// Column names, in the order of the record key's parts.
    pub key: Vec<String>,
    /// SQL over the columns.
    pub delete_when: Option<String>,
    pub columns: Vec<SourceColumn>,
}

/// A checked query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    pub plan: Plan,
    /// The query printed from its syntax tree: white space, comments and the case of names do not change it.
    pub canonical_query: String,
    /// Name and type name of the result's columns.
    pub columns: Vec<(String, String)>,
}

impl Compiled {
    /// The name of the revision that this compilation makes.
    pub fn revision(&self, replay_count: u32) -> String {
        let Plan { sources, time_zone, semantics_version, .. } = &self.plan;
        revision_name(&self.canonical_query, sources, &self.columns, time_zone, *semantics_version, replay_count)
    }
}

/// Compiles a view.
pub fn compile(view: &ViewQuery<'_>) -> Result<Compiled, CompileError> {
    crate::compile::compile(view)
}
