//! The checkout this program was started in, the cache outside it, and the names that the whole project agrees on.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The kind cluster; its kubeconfig context is `kind-millrace`.
pub const CLUSTER: &str = "millrace";
pub const CONTEXT: &str = "kind-millrace";
/// The Helm release and its namespace.
pub const RELEASE: &str = "millrace";
pub const SYSTEM_NAMESPACE: &str = "millrace-system";
/// The namespace of the examples.
pub const EXAMPLE_NAMESPACE: &str = "shop";

#[derive(Clone, Debug)]
pub struct Checkout {
    root: PathBuf,
    cache: PathBuf,
}

impl Checkout {
    /// Cargo says where the package lies when it runs the program; a copy started by hand knows where it was built.
    pub fn find() -> Result<Self> {
        let package =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root =
            package.parent().with_context(|| format!("{} has no parent folder", package.display()))?.to_path_buf();
        let cache = match env::var_os("MILLRACE_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(env::var_os("HOME").context(
                "neither MILLRACE_CACHE nor HOME is set: set MILLRACE_CACHE to a folder that may hold 20 GB",
            )?)
            .join(".cache/millrace"),
        };
        std::fs::create_dir_all(cache.join("log")).with_context(|| format!("cannot make {}/log", cache.display()))?;
        Ok(Self { root, cache })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.root.join(inside)
    }

    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where a step writes what its programs print.
    pub fn log(&self, step: &str) -> PathBuf {
        self.cache.join("log").join(format!("{step}.log"))
    }
}
