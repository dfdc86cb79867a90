//! kind, kubectl and helm: those on PATH where their versions fit, otherwise made from their Go modules.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::checkout::{CONTEXT, Checkout};
use crate::invocation::Invocation;
use crate::recipe::Recipe;
use crate::stage::Stage;
use crate::versions::major_and_minor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Kind,
    Kubectl,
    Helm,
}

impl Program {
    const ALL: [Self; 3] = [Self::Kind, Self::Kubectl, Self::Helm];

    fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
        }
    }

    fn ask_version(self) -> &'static [&'static str] {
        match self {
            Self::Kind => &["version"],
            Self::Kubectl => &["version", "--client"],
            Self::Helm => &["version", "--short"],
        }
    }

    /// kind: nodes with containerd 2. kubectl: within one minor version of the server. helm: schema, OCI, `--wait`.
    fn fits(self, version: (u32, u32), kubernetes: (u32, u32)) -> bool {
        match self {
            Self::Kind => version >= (0, 27),
            Self::Kubectl => version.0 == kubernetes.0 && version.1.abs_diff(kubernetes.1) <= 1,
            Self::Helm => version >= (3, 14),
        }
    }
}

/// Programs that fit, by their paths.
#[derive(Clone, Debug)]
pub struct Programs {
    kind: PathBuf,
    kubectl: PathBuf,
    helm: PathBuf,
    made: PathBuf,
}

impl Programs {
    /// What `ensure` would have to make, for saying so before it does.
    pub fn missing(recipe: &Recipe) -> Result<Vec<&'static str>> {
        let kubernetes = kubernetes(recipe)?;
        Ok(Program::ALL
            .into_iter()
            .filter(|&program| !fits_on_path(program, kubernetes) && !is_made(recipe, program))
            .map(Program::name)
            .collect())
    }

    pub fn ensure(checkout: &Checkout, recipe: &Recipe) -> Result<Self> {
        let mend = "install kind, kubectl and helm yourself; or Go, which makes them from their modules: \
                    the log says what Go could not fetch or build";
        Stage::run(checkout, "kind kubectl helm", mend, |stage| {
            let kubernetes = kubernetes(recipe)?;
            let mut said = Vec::new();
            let mut locate = |program: Program| -> Result<PathBuf> {
                let name = program.name();
                if fits_on_path(program, kubernetes) {
                    said.push(format!("{name} of PATH"));
                    return Ok(PathBuf::from(name));
                }
                if !is_made(recipe, program) {
                    recipe.make(stage, &["programs", name])?;
                    recipe.stamp_as_made(name)?;
                }
                said.push(format!("{name} of the cache"));
                Ok(recipe.programs_folder().join(name))
            };
            let programs = Self {
                kind: locate(Program::Kind)?,
                kubectl: locate(Program::Kubectl)?,
                helm: locate(Program::Helm)?,
                made: recipe.programs_folder(),
            };
            Ok((programs, said.join(", ")))
        })
    }

    /// Makes nothing: for commands that only look.
    pub fn at_hand(recipe: &Recipe) -> Result<Self> {
        let kubernetes = kubernetes(recipe)?;
        let made = recipe.programs_folder();
        let locate = |program: Program| {
            if fits_on_path(program, kubernetes) { PathBuf::from(program.name()) } else { made.join(program.name()) }
        };
        Ok(Self { kind: locate(Program::Kind), kubectl: locate(Program::Kubectl), helm: locate(Program::Helm), made })
    }

    pub fn kind(&self) -> Invocation {
        Invocation::new(&self.kind)
    }

    pub fn kubectl(&self) -> Invocation {
        Invocation::new(&self.kubectl).args(["--context", CONTEXT])
    }

    pub fn helm(&self) -> Invocation {
        Invocation::new(&self.helm).args(["--kube-context", CONTEXT])
    }

    /// PATH for tests that type `kubectl` and `helm` as a person does.
    pub fn search_path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        if self.all_on_path() { path } else { format!("{}:{path}", self.made.display()) }
    }

    /// What a person has to add to PATH to type what the README says; nothing where all are there.
    pub fn advice(&self) -> Option<String> {
        (!self.all_on_path())
            .then(|| format!("export PATH={}:$PATH    # kind, kubectl, helm that fit", self.made.display()))
    }

    fn all_on_path(&self) -> bool {
        [&self.kind, &self.kubectl, &self.helm]
            .iter()
            .all(|program| program.parent().is_none_or(|folder| folder.as_os_str().is_empty()))
    }
}

fn kubernetes(recipe: &Recipe) -> Result<(u32, u32)> {
    let version = &recipe.versions.kubernetes;
    major_and_minor(version).with_context(|| format!("KUBERNETES={version} is no version like v1.34.4"))
}

fn fits_on_path(program: Program, kubernetes: (u32, u32)) -> bool {
    Invocation::new(program.name())
        .args(program.ask_version())
        .limit(Duration::from_secs(20))
        .output()
        .ok()
        .and_then(|text| major_and_minor(&text))
        .is_some_and(|version| program.fits(version, kubernetes))
}

fn is_made(recipe: &Recipe, program: Program) -> bool {
    recipe.has_made(program.name()) && recipe.programs_folder().join(program.name()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_path_is_used_only_when_its_version_fits() {
        for (program, version, fits) in [
            (Program::Kubectl, (1, 33), true),
            (Program::Kubectl, (1, 35), true),
            (Program::Kubectl, (1, 32), false),
            (Program::Kind, (0, 33), true),
            (Program::Kind, (0, 20), false),
            (Program::Helm, (4, 0), true),
            (Program::Helm, (3, 9), false),
        ] {
            assert_eq!(program.fits(version, (1, 34)), fits, "{} {version:?}", program.name());
        }
    }
}
