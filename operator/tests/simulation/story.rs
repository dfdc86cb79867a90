//! The story of a history: what went wrong in which phase, and, for a history that fails, everything that was done.

use crate::faults::Fault;
use millrace_crds::{MaterializedViewStatus, RolloutPhase};
use std::{
    collections::{BTreeMap, BTreeSet},
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
    /// From which phase to which the status has gone.
    pub transitions: BTreeSet<(RolloutPhase, RolloutPhase)>,
    shown: Option<(String, RolloutPhase)>,
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

    /// The status was written.
    pub fn show(&mut self, status: &MaterializedViewStatus) {
        let Some(rollout) = &status.rollout else { return };
        let shown = (rollout.revision.clone(), rollout.phase);
        if let Some(before) = self.shown.replace(shown.clone()).filter(|before| *before != shown) {
            self.transitions.insert((before.1, shown.1));
        }
    }

    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line());
        }
    }
}
