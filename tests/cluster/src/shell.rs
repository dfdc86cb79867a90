//! Commands as a person types them.

use anyhow::{Context, Result, bail};
use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

pub const CONTEXT: &str = "kind-millrace";

/// The folder of the project, where relative paths such as `examples/user-view.yaml` begin.
pub fn project() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..")
}

/// Runs a program in the project's folder and returns its standard output; a failure carries what it printed.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    run_with_input(program, arguments, "")
}

pub fn run_with_input(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let mut command = Command::new(program);
    // What cargo tells a test, a person's shell does not know; a build that looks at it would begin anew.
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "LD_LIBRARY_PATH" {
            command.env_remove(name);
        }
    }
    let mut child = command
        .args(arguments)
        .current_dir(project())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} is not on PATH"))?;
    child.stdin.take().context("the child has a standard input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{program} {} failed:\n{stdout}{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(stdout)
}

pub fn kubectl(arguments: &[&str]) -> Result<String> {
    run("kubectl", &[&["--context", CONTEXT], arguments].concat())
}

pub fn helm(arguments: &[&str]) -> Result<String> {
    run("helm", &[&["--kube-context", CONTEXT], arguments].concat())
}

/// Types a script, command by command until one fails. kubectl and helm mean the tests' cluster, whichever one the
/// person works with otherwise.
pub fn type_in(script: &str) -> Result<String> {
    let script = format!(
        "kubectl() {{ command kubectl --context {CONTEXT} \"$@\"; }}\n\
         helm() {{ command helm --kube-context {CONTEXT} \"$@\"; }}\n\
         {script}"
    );
    run("bash", &["-euo", "pipefail", "-c", &script])
}

/// `kubectl apply -f -` with the manifest as input.
pub fn apply(manifest: &str) -> Result<String> {
    run_with_input("kubectl", &["--context", CONTEXT, "apply", "-f", "-"], manifest)
}

/// Whether the API server would take the manifest.
pub fn apply_dry(manifest: &str) -> Result<String> {
    run_with_input("kubectl", &["--context", CONTEXT, "apply", "--dry-run=server", "-f", "-"], manifest)
}

/// Tries until it succeeds or the time is up; then the last failure is the error.
pub fn eventually<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() > limit => {
                return Err(error.context(format!("not so within {limit:?}: {what}")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
