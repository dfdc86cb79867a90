//! A run of many test programs, which share what is slow to start.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::checkout::Checkout;

/// Names the folder of the run to its programs.
pub const VARIABLE: &str = "MILLRACE_TEST_RUN";

/// What the programs start for one another ends when the folder goes, or the process that is named in it.
pub struct TestRun {
    pub folder: PathBuf,
}

impl TestRun {
    pub fn begin(checkout: &Checkout) -> Result<Self> {
        let runner = std::process::id().to_string();
        let folder = checkout.cache().join("run").join(&runner);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("runner"), runner))
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder })
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        // What is left of it ends with this process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
