//! Thaws pods that a killed runc left frozen: on cgroup v1 such a pod cannot be killed, and its node never ends.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const FREEZER: &str = "/sys/fs/cgroup/freezer/docker";

/// Thaws everything frozen below the named containers, and says how many groups that were.
pub fn thaw(containers: &[String]) -> Result<usize> {
    containers.iter().map(|container| thaw_below(&Path::new(FREEZER).join(container))).sum()
}

fn thaw_below(group: &Path) -> Result<usize> {
    // A group that is not there, or went away meanwhile, holds nobody.
    let Ok(entries) = fs::read_dir(group) else { return Ok(0) };
    let mut thawed = 0;
    for entry in entries.flatten() {
        if entry.path().is_dir() {
            thawed += thaw_below(&entry.path())?;
        }
    }
    let state = group.join("freezer.state");
    if fs::read_to_string(&state).is_ok_and(|state| state.trim() == "FROZEN") {
        fs::write(&state, "THAWED").with_context(|| format!("cannot write {}", state.display()))?;
        thawed += 1;
    }
    Ok(thawed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frozen_group_is_thawed_and_no_other_is_touched() {
        let root = std::env::temp_dir().join(format!("xtask-freezer-{}", std::process::id()));
        for (group, state) in [("pod/a", "FROZEN\n"), ("pod/b", "THAWED\n"), ("pod", "FROZEN\n")] {
            fs::create_dir_all(root.join(group)).unwrap();
            fs::write(root.join(group).join("freezer.state"), state).unwrap();
        }
        assert_eq!(thaw_below(&root).unwrap(), 2);
        assert_eq!(fs::read_to_string(root.join("pod/a/freezer.state")).unwrap(), "THAWED");
        assert_eq!(fs::read_to_string(root.join("pod/b/freezer.state")).unwrap(), "THAWED\n");
        assert_eq!(thaw_below(&root).unwrap(), 0);
        fs::remove_dir_all(root).unwrap();
    }
}
