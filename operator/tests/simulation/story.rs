//! The story of a history: what went wrong in which phase, and, for a history that fails, everything that was done.

use crate::faults::Fault;
use millrace_crds::RolloutPhase;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The lines of a history that is told; they outlive its end.
pub type Lines = Arc<Mutex<Vec<String>>>;

#[derive(Default)]
pub struct Story {
    /// How often each fault has met each phase.
    pub met: BTreeMap<(Fault, Option<RolloutPhase>), u64>,
    /// Where the rollout stood when it was looked at last.
    pub phase: Option<RolloutPhase>,
    lines: Option<Lines>,
}

impl Story {
    pub fn told_to(lines: Option<Lines>) -> Story {
        Story { lines, ..Story::default() }
    }

    pub fn struck(&mut self, fault: Fault) {
        *self.met.entry((fault, self.phase)).or_default() += 1;
        self.tell(|| format!("  ! {fault:?}"));
    }

    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line());
        }
    }
}
