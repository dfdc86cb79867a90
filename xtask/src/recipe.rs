//! The recipe of the node image, named by a hash of its files, so that a changed recipe makes a new one.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::content::hash_of_folder;
use crate::invocation::Invocation;
use crate::stage::Stage;
use crate::versions::Versions;

pub struct Recipe {
    pub versions: Versions,
    folder: PathBuf,
    /// Programs and stamps, outside the checkout.
    cache: PathBuf,
    cache_root: PathBuf,
    pub hash: String,
}

impl Recipe {
    pub fn read(checkout: &Checkout) -> Result<Self> {
        let versions = Versions::read(checkout)?;
        let folder = checkout.path("deploy/kind-node");
        Ok(Self {
            hash: hash_of_folder(&folder)?,
            cache: checkout.cache().join(format!("kind-node-{}", versions.kubernetes)),
            cache_root: checkout.cache().to_path_buf(),
            folder,
            versions,
        })
    }

    pub fn programs_folder(&self) -> PathBuf {
        self.cache.join("bin")
    }

    /// Whether the recipe has made these already.
    pub fn has_programs(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.programs_folder().join(name).is_file())
    }

    /// Runs one part of the recipe; what it says it is doing is said on the stage.
    pub fn make(&self, stage: &Stage, part: &[&str]) -> Result<()> {
        Invocation::new("bash")
            .arg(self.folder.join("build.sh"))
            .args(part)
            .env("RECIPE", &self.hash)
            .env("MILLRACE_CACHE", &self.cache_root)
            .run_logged(stage.log(), |line| {
                if let Some(step) = line.strip_prefix("== ") {
                    stage.say(step);
                }
            })
    }

    /// True when this very recipe made the part before.
    pub fn has_made(&self, part: &str) -> bool {
        fs::read_to_string(self.stamp(part)).is_ok_and(|hash| hash == self.hash)
    }

    pub fn stamp_as_made(&self, part: &str) -> Result<()> {
        let stamp = self.stamp(part);
        fs::write(&stamp, &self.hash).with_context(|| format!("cannot write {}", stamp.display()))
    }

    fn stamp(&self, part: &str) -> PathBuf {
        self.cache.join(format!("made-{part}"))
    }
}
