//! cargo as it was started for this program, and the programs it says that it built.

use std::path::PathBuf;

use anyhow::Result;
use serde::Deserialize;

use crate::checkout::Checkout;
use crate::invocation::Invocation;
use crate::stage::Stage;

/// A program that cargo built, from a package's `src/bin`, `src/main.rs` or `tests`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The target's name, for a test the name of its file.
    pub name: String,
    pub path: PathBuf,
    /// Where its package's Cargo.toml lies.
    pub package: PathBuf,
    /// Whether it runs tests. Tests also build the programs that they start.
    pub is_test: bool,
}

/// What cargo told this program about its own package must not reach another build: build scripts that look at it would
/// run again, and everything above them would be compiled again.
pub fn cargo() -> Invocation {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let told = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|told| name.starts_with(told)) || name == "LD_LIBRARY_PATH"
    };
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| told(name))
        .fold(Invocation::new(cargo), |cargo, name| cargo.without_env(&name))
}

/// Builds and says what was built. Always out of the whole workspace: choosing packages would choose other features of
/// their dependencies, and compile those twice.
pub fn build<'a>(
    checkout: &Checkout,
    stage: &Stage,
    command: &str,
    targets: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Program>> {
    let messages = cargo()
        .directory(checkout.root())
        .args([command, "--workspace", "--message-format=json-render-diagnostics"])
        .args(targets)
        .output_logging_errors(stage.log())?;
    Ok(programs(&messages))
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Target,
    profile: Profile,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Other messages, of libraries and build scripts, name no executable.
fn programs(messages: &str) -> Vec<Program> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| {
            let package = message.manifest_path.parent()?.to_path_buf();
            Some(Program {
                name: message.target.name,
                path: message.executable?,
                package,
                is_test: message.profile.test,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_are_named() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/밀/crds/Cargo.toml","target":{"name":"crdgen"},"profile":{"test":false},"executable":"/밀/target/debug/crdgen"}
{"reason":"compiler-artifact","manifest_path":"/밀/crds/Cargo.toml","target":{"name":"generated"},"profile":{"test":true},"executable":"/밀/target/debug/deps/generated-1"}
{"reason":"compiler-artifact","manifest_path":"/밀/crds/Cargo.toml","target":{"name":"millrace_crds"},"profile":{"test":false},"executable":null}
{"reason":"build-finished","success":true}"#;
        let program = |name: &str, path: &str, is_test| Program {
            name: name.into(),
            path: path.into(),
            package: "/밀/crds".into(),
            is_test,
        };
        assert_eq!(
            programs(messages),
            [
                program("crdgen", "/밀/target/debug/crdgen", false),
                program("generated", "/밀/target/debug/deps/generated-1", true)
            ]
        );
    }
}
