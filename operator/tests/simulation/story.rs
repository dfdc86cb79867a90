//! The story of a history: what went wrong in which phase, and, for a history that fails, everything that was done.

use crate::faults::Fault;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// The lines of a history that is told; they outlive its end.
pub type Lines = Arc<Mutex<Vec<String>>>;

/// `P`: the phases that a rollout or a replay goes through.
pub struct Story<P> {
    /// How often each fault has met each phase.
    pub met: BTreeMap<(Fault, Option<P>), u64>,
    /// Where it stood when it was looked at last.
    pub phase: Option<P>,
    /// From which phase to which the status has gone.
    pub transitions: BTreeSet<(P, P)>,
    shown: Option<(String, P)>,
    lines: Option<Lines>,
}

impl<P: Copy + Ord> Story<P> {
    pub fn told_to(lines: Option<Lines>) -> Story<P> {
        Story { met: BTreeMap::new(), phase: None, transitions: BTreeSet::new(), shown: None, lines }
    }

    pub fn struck(&mut self, fault: Fault) {
        *self.met.entry((fault, self.phase)).or_default() += 1;
        self.tell(|| format!("  ! {fault:?}"));
    }

    /// The status was written: what moves, and the phase that it is in.
    pub fn show(&mut self, what: &str, phase: P) {
        let shown = (what.to_owned(), phase);
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
