//! The name of a view, and every name that is derived from it.

use millrace_contract::ident;
use std::fmt;

/// Namespace and name of a MaterializedView.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewName {
    pub namespace: String,
    pub name: String,
}

/// One version of a view's result: 8 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub String);

impl ViewName {
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> ViewName {
        ViewName { namespace: namespace.into(), name: name.into() }
    }

    /// The Postgres role that the view's workers are given when it is claimed first; from then on its row says which.
    pub fn role(&self, catalog_id: &str) -> String {
        ident::view_role(catalog_id, &self.namespace, &self.name)
    }

    /// The Postgres schema of a revision.
    pub fn schema(&self, revision: &Revision) -> String {
        ident::revision_schema(&self.namespace, &self.name, &revision.0)
    }

    /// The Secret in the view's namespace that its workers log in to Postgres with.
    pub fn secret(&self) -> String {
        format!("millrace-{}", self.name)
    }

    /// The Deployment of a revision's workers.
    pub fn deployment(&self, revision: &Revision) -> String {
        format!("{}-{revision}", self.name)
    }
}

impl fmt::Display for ViewName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A relation as readers write it: schema and name, unquoted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Target {
    pub schema: String,
    pub name: String,
}

impl Target {
    /// As SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", ident::quote(&self.schema), ident::quote(&self.name))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}
