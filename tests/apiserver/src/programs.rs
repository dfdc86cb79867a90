//! Where etcd and kube-apiserver are found: in the cache that builds the node image, or in a running control plane.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The two programs that make an API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    pub etcd: PathBuf,
    pub kube_apiserver: PathBuf,
}

/// Neither a folder nor a running control plane has the two programs.
#[derive(Debug, thiserror::Error)]
#[error(
    "etcd and kube-apiserver were looked for in {cache}/kind-node-*/bin and in the container {CONTROL_PLANE}, and found \
     in neither; run `cargo xtask up` once: it makes both"
)]
pub struct ProgramsNotFound {
    cache: String,
}

const CONTROL_PLANE: &str = "millrace-control-plane";

impl Programs {
    /// Looks in `$MILLRACE_CACHE` (or `~/.cache/millrace`), then in the control plane of the cluster `millrace`, from
    /// where both programs are copied into the cache.
    pub fn find() -> Result<Programs, ProgramsNotFound> {
        let cache = cache();
        newest_in(&cache)
            .or_else(|| from_control_plane(&cache))
            .ok_or_else(|| ProgramsNotFound { cache: cache.display().to_string() })
    }

    fn in_folder(folder: &Path) -> Option<Programs> {
        let found = Programs { etcd: folder.join("etcd"), kube_apiserver: folder.join("kube-apiserver") };
        (is_program(&found.etcd) && is_program(&found.kube_apiserver)).then_some(found)
    }
}

fn cache() -> PathBuf {
    match std::env::var_os("MILLRACE_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache/millrace"),
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn newest_in(cache: &Path) -> Option<Programs> {
    let mut folders: Vec<PathBuf> = fs::read_dir(cache)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kind-node-")))
        .collect();
    folders.sort();
    folders.iter().rev().find_map(|folder| Programs::in_folder(&folder.join("bin")))
}

/// A node image that was pulled has both programs inside its own container images only; the running processes of the
/// control plane are the shortest way to them.
fn from_control_plane(cache: &Path) -> Option<Programs> {
    let image = output_of(Command::new("docker").args(["inspect", "--format", "{{.Image}}", CONTROL_PLANE]))?;
    let image = String::from_utf8(image).ok()?;
    let short: String = image.trim().trim_start_matches("sha256:").chars().take(12).collect();
    let folder = cache.join(format!("control-plane-{short}")).join("bin");
    if let Some(found) = Programs::in_folder(&folder) {
        return Some(found);
    }
    fs::create_dir_all(&folder).ok()?;
    for name in ["etcd", "kube-apiserver"] {
        let copy = format!(
            "for process in /proc/[0-9]*; do case \"$(readlink $process/exe)\" in */{name}) \
             exec cat $process/exe;; esac; done; exit 1"
        );
        let program = output_of(Command::new("docker").args(["exec", CONTROL_PLANE, "sh", "-c", &copy]))?;
        let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
        fs::write(&unfinished, program).ok()?;
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).ok()?;
        fs::rename(&unfinished, folder.join(name)).ok()?;
    }
    Programs::in_folder(&folder)
}

fn output_of(command: &mut Command) -> Option<Vec<u8>> {
    let output = command.output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) {
        fs::create_dir_all(path.parent().expect("a folder above")).expect("the folder is made");
        fs::write(path, "#!/bin/sh\n").expect("the program is written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the program may run");
    }

    #[test]
    fn the_newest_folder_that_has_both_programs_is_taken() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        for name in ["kind-node-v1.33.1/bin/etcd", "kind-node-v1.33.1/bin/kube-apiserver"] {
            program(&cache.path().join(name));
        }
        for name in ["kind-node-v1.34.4/bin/etcd", "kind-node-v1.34.4/bin/kube-apiserver"] {
            program(&cache.path().join(name));
        }
        program(&cache.path().join("kind-node-v1.35.0/bin/etcd"));
        let found = newest_in(cache.path()).expect("both programs");
        assert_eq!(found.etcd, cache.path().join("kind-node-v1.34.4/bin/etcd"));
        assert_eq!(found.kube_apiserver, cache.path().join("kind-node-v1.34.4/bin/kube-apiserver"));
    }

    #[test]
    fn a_file_that_may_not_run_is_no_program() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        program(&cache.path().join("kind-node-v1.34.4/bin/etcd"));
        fs::write(cache.path().join("kind-node-v1.34.4/bin/kube-apiserver"), "").expect("the file is written");
        assert_eq!(newest_in(cache.path()), None);
    }

    #[test]
    fn missing_programs_are_told_with_the_command_that_makes_them() {
        let error = ProgramsNotFound { cache: "/home/홍길동/.cache/millrace".into() };
        assert_eq!(
            error.to_string(),
            "etcd and kube-apiserver were looked for in /home/홍길동/.cache/millrace/kind-node-*/bin and in the \
             container millrace-control-plane, and found in neither; run `cargo xtask up` once: it makes both"
        );
    }
}
