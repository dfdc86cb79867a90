//! The name of an app, and every name that is derived from it.

use std::fmt;

/// Namespace and name of a StreamApp.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppName {
    pub namespace: String,
    pub name: String,
}

impl AppName {
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> AppName {
        AppName { namespace: namespace.into(), name: name.into() }
    }

    /// The Deployment that runs the app. Not the app's own name: a Deployment of that name may be there already.
    pub fn deployment(&self) -> String {
        format!("{}-app", self.name)
    }

    /// The ConfigMap that its replays are written down in.
    pub fn ledger(&self) -> String {
        format!("{}-replays", self.name)
    }

    /// What the names of its pods begin with, and so the client ids of its members.
    pub fn client_ids(&self) -> String {
        format!("{}-", self.deployment())
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
