//! What processes cost: CPU seconds and memory, as the kernel accounts for them.

use anyhow::{Context, Result};
use std::{collections::HashMap, fmt, fs, time::Duration};

/// What it took to bring so many records into a table.
pub struct Cost {
    pub records: u64,
    pub elapsed: Duration,
    /// CPU seconds of the loading program, where it is a program of its own.
    pub loader: Option<f64>,
    pub postgres: f64,
    /// The largest resident set of any worker, in bytes.
    pub resident: Option<u64>,
}

impl Cost {
    /// Records per second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.elapsed.as_secs_f64()
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.0} records/s, CPU s: Postgres {:.1}", self.rate(), self.postgres)?;
        if let Some(loader) = self.loader {
            write!(f, ", workers {loader:.1}")?;
        }
        if let Some(resident) = self.resident {
            write!(f, ", largest worker {} MB", resident / 1_000_000)?;
        }
        Ok(())
    }
}

/// CPU seconds of a process and of all below it, those that have ended included.
pub fn tree_seconds(root: u32) -> Result<f64> {
    let mut parents: HashMap<u32, (u32, f64)> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat"))
            && let Some((parent, seconds)) = parse_stat(&stat)
        {
            parents.insert(pid, (parent, seconds));
        }
    }
    let below = |mut pid: u32| loop {
        if pid == root {
            return true;
        }
        match parents.get(&pid) {
            Some(&(parent, _)) if parent > 1 => pid = parent,
            _ => return false,
        }
    };
    Ok(parents.iter().filter(|(pid, _)| below(**pid)).map(|(_, (_, seconds))| seconds).sum())
}

/// Parent and CPU seconds (own, and of children that were waited for) of one line of `/proc/<pid>/stat`.
fn parse_stat(stat: &str) -> Option<(u32, f64)> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    // A tick is 1/100 s on every Linux that Rust runs on (USER_HZ).
    Some((fields.get(1)?.parse().ok()?, ticks as f64 / 100.0))
}

/// The largest resident set that the process has had, in bytes.
pub fn peak_memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("the kernel tells VmHWM")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).context("VmHWM has a number")?.parse()?;
    Ok(kilobytes * 1024)
}

pub fn machine_memory() -> Result<String> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let kilobytes: u64 = text.split_whitespace().nth(1).context("MemTotal has a number")?.parse()?;
    Ok(format!("{} GiB of memory", kilobytes / 1024 / 1024))
}
