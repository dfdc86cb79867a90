//! The Docker engine: used where one answers, otherwise Debian's, started by root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::invocation::{Invocation, indent, tail};
use crate::packages;
use crate::stage::Stage;

const BOUNDED_RUNTIME: &str = "/usr/local/bin/runc-bounded";
const PID_FILE: &str = "/var/run/docker.pid";
/// Linux's number of CAP_SYS_RESOURCE.
const CAP_SYS_RESOURCE: u32 = 24;

/// The version of the engine that answers, if one does.
pub fn version() -> Option<String> {
    docker()
        .args(["version", "--format", "{{.Server.Version}}"])
        .limit(Duration::from_secs(20))
        .output()
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|version| !version.is_empty())
}

pub fn docker() -> Invocation {
    Invocation::new("docker")
}

/// Does nothing where an engine answers.
pub fn ensure(checkout: &Checkout) -> Result<()> {
    let mend = "start Docker yourself (`docker version` must show a server; group `docker` for people who are not root), \
                or run this as root on Debian, where it installs and starts one";
    Stage::run(checkout, "Docker engine", mend, |stage| {
        if let Some(version) = version() {
            return Ok(((), format!("{version} answers")));
        }
        if !packages::is_root()? {
            bail!("no Docker engine answers, and only root can start one");
        }
        packages::install(stage, &packages::missing(packages::FOR_THE_ENGINE))?;
        start(checkout, stage)?;
        let version = version().context("the engine that was just started does not answer")?;
        Ok(((), format!("{version} started")))
    })
}

fn start(checkout: &Checkout, stage: &Stage) -> Result<()> {
    let log = checkout.log("dockerd");
    let bounded = !has_capability(
        &fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?,
        CAP_SYS_RESOURCE,
    );
    if Path::new("/run/systemd/system").exists() && !bounded {
        stage.say("systemctl start docker");
        Invocation::new("systemctl").args(["start", "docker"]).run_logged(stage.log(), |_| {})?;
    } else {
        stage.say("starting dockerd");
        remove_stale_pid_file()?;
        let mut daemon = Invocation::new("dockerd");
        if bounded {
            install_bounded_runtime(checkout)?;
            daemon = daemon.args([&format!("--add-runtime=bounded={BOUNDED_RUNTIME}"), "--default-runtime=bounded"]);
        }
        daemon.leave_running(&log)?;
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while version().is_none() {
        if Instant::now() > deadline {
            let lines = tail(&log, 8).unwrap_or_default();
            bail!(
                "dockerd was started and did not answer within 60 s; {} ends with\n{}",
                log.display(),
                indent(&lines)
            );
        }
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// `--privileged`, which kind's nodes are, asks for every capability: this runtime asks for what the machine grants.
fn install_bounded_runtime(checkout: &Checkout) -> Result<()> {
    let recipe = checkout.path("deploy/kind-node/runc-bounded");
    fs::copy(&recipe, BOUNDED_RUNTIME)
        .with_context(|| format!("cannot copy {} to {BOUNDED_RUNTIME}", recipe.display()))?;
    fs::set_permissions(BOUNDED_RUNTIME, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {BOUNDED_RUNTIME} executable"))
}

/// After a crash or a restart of the machine the file may name a process that is somebody else's by now.
fn remove_stale_pid_file() -> Result<()> {
    let Ok(text) = fs::read_to_string(PID_FILE) else { return Ok(()) };
    let program = fs::read_to_string(format!("/proc/{}/comm", text.trim())).unwrap_or_default();
    if program.trim() == "dockerd" {
        bail!(
            "dockerd (process {}) runs but does not answer: look at its log, or end it and run this again",
            text.trim()
        );
    }
    fs::remove_file(PID_FILE).with_context(|| format!("cannot remove {PID_FILE}, left by a dockerd that is gone"))
}

/// Reads the bounding set out of /proc/self/status; a kernel that does not tell grants everything.
fn has_capability(status: &str, capability: u32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .is_none_or(|set| set & (1 << capability) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounding_set_says_whether_limits_may_be_raised() {
        for (status, has) in [
            ("Name:\tcat\nCapBnd:\t000001ffffffffff\n", true),
            ("Name:\tcat\nCapBnd:\t000001fffeffffff\n", false),
            ("Name:\tcat\n", true),
        ] {
            assert_eq!(has_capability(status, CAP_SYS_RESOURCE), has, "{status}");
        }
    }
}
