//! What has happened in all histories: a world in which nothing happens proves nothing.

use crate::{faults::Fault, story::Story};
use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
};

/// What a kind of history is to have met: these faults in these phases.
#[derive(Debug)]
pub struct Table<P: 'static> {
    pub faults: &'static [Fault],
    /// None: there is nothing to be seen.
    pub phases: &'static [Option<P>],
}

pub struct Tally<P: 'static> {
    table: &'static Table<P>,
    events: BTreeMap<&'static str, u64>,
    /// How often each fault has met each phase.
    met: BTreeMap<(Fault, Option<P>), u64>,
}

impl<P: Copy + Ord + Debug> Tally<P> {
    pub fn new(table: &'static Table<P>) -> Tally<P> {
        Tally { table, events: BTreeMap::new(), met: BTreeMap::new() }
    }

    pub fn add(&mut self, counts: impl IntoIterator<Item = (&'static str, u64)>, story: &Story<P>) {
        for (what, count) in counts {
            *self.events.entry(what).or_default() += count;
        }
        for (met, count) in &story.met {
            *self.met.entry(*met).or_default() += count;
        }
    }

    pub fn merge(&mut self, other: Tally<P>) {
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
        let cells = self.table.faults.iter().flat_map(|fault| self.table.phases.iter().map(|phase| (*fault, *phase)));
        let never = cells.filter(|cell| !self.met.contains_key(cell));
        rare.chain(never.map(|(fault, phase)| format!("{fault:?} never met {}", name(phase)))).collect()
    }
}

/// Each fault's row, each phase's column.
impl<P: Copy + Ord + Debug> fmt::Display for Tally<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<18}", "")?;
        self.table.phases.iter().try_for_each(|phase| write!(f, "{:>18}", name(*phase)))?;
        writeln!(f)?;
        for fault in self.table.faults {
            write!(f, "{:<18}", format!("{fault:?}"))?;
            for phase in self.table.phases {
                write!(f, "{:>18}", self.met.get(&(*fault, *phase)).copied().unwrap_or(0))?;
            }
            writeln!(f)?;
        }
        self.events.iter().try_for_each(|(what, count)| writeln!(f, "{count:>9}  {what}"))
    }
}

fn name<P: Debug>(phase: Option<P>) -> String {
    phase.map_or("nothing seen".into(), |phase| format!("{phase:?}"))
}
