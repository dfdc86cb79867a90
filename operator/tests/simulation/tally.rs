//! What has happened in all histories: a world in which nothing happens proves nothing.

use crate::{faults::Fault, promises::Promises, story::Story};
use millrace_crds::RolloutPhase;
use std::{collections::BTreeMap, fmt};

/// The phases that a fault may meet; none: there is no rollout to be seen.
const PHASES: [Option<RolloutPhase>; 8] = [
    None,
    Some(RolloutPhase::Building),
    Some(RolloutPhase::CatchingUp),
    Some(RolloutPhase::Gating),
    Some(RolloutPhase::AwaitingPromotion),
    Some(RolloutPhase::CuttingOver),
    Some(RolloutPhase::Retiring),
    Some(RolloutPhase::Steady),
];

#[derive(Default)]
pub struct Tally {
    events: BTreeMap<&'static str, u64>,
    /// How often each fault has met each phase.
    pub met: BTreeMap<(Fault, Option<RolloutPhase>), u64>,
}

impl Tally {
    pub fn add(&mut self, promises: &Promises, story: &Story) {
        for (what, count) in promises.counts() {
            *self.events.entry(what).or_default() += count;
        }
        for (met, count) in &story.met {
            *self.met.entry(*met).or_default() += count;
        }
    }

    pub fn merge(&mut self, other: Tally) {
        for (what, count) in other.events {
            *self.events.entry(what).or_default() += count;
        }
        for (met, count) in other.met {
            *self.met.entry(met).or_default() += count;
        }
    }

    /// What happened less often than `enough`, and faults that never met a phase.
    pub fn lacks(&self, enough: u64) -> Vec<String> {
        let rare = self.events.iter().filter(|(_, count)| **count < enough);
        let rare = rare.map(|(what, count)| format!("{what} happened {count} times, expected at least {enough}"));
        let cells = Fault::ALL.into_iter().flat_map(|fault| PHASES.map(|phase| (fault, phase)));
        let never = cells.filter(|cell| !self.met.contains_key(cell));
        rare.chain(never.map(|(fault, phase)| format!("{fault:?} never met {}", name(phase)))).collect()
    }
}

/// Each fault's row, each phase's column.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<18}", "")?;
        PHASES.iter().try_for_each(|phase| write!(f, "{:>18}", name(*phase)))?;
        writeln!(f)?;
        for fault in Fault::ALL {
            write!(f, "{:<18}", format!("{fault:?}"))?;
            for phase in PHASES {
                write!(f, "{:>18}", self.met.get(&(fault, phase)).copied().unwrap_or(0))?;
            }
            writeln!(f)?;
        }
        self.events.iter().try_for_each(|(what, count)| writeln!(f, "{count:>9}  {what}"))
    }
}

fn name(phase: Option<RolloutPhase>) -> String {
    phase.map_or("no rollout".into(), |phase| format!("{phase:?}"))
}
