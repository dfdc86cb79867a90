//! Holds: an offset that no epoch of a partition passes for a while, so that two revisions come to stand at equal
//! positions and can be compared.
//!
//! The fence refuses what would pass; here epochs are cut before they get there. What was read beyond is read again.

use super::Session;
use crate::reader::Command;
use millrace_connectors::postgres::Survey;
use std::collections::BTreeMap;

impl Session<'_> {
    /// How far an epoch may go that was read up to `to`.
    pub fn reach(&self, partition: i32, to: i64) -> i64 {
        self.held.get(&partition).and_then(|task| task.hold).map_or(to, |hold| to.min(hold))
    }

    /// Takes note of holds that the fence told of.
    pub fn hold(&mut self, holds: &BTreeMap<i32, i64>) {
        for (partition, hold) in holds {
            if let Some(task) = self.held.get_mut(partition) {
                task.hold = Some(*hold);
            }
        }
        self.rest();
    }

    /// Reads no further where a task stands at its hold.
    pub(super) fn rest(&mut self) {
        let mut stopped = Vec::new();
        for (&partition, task) in &mut self.held {
            if task.stands() && !task.rests {
                task.rests = true;
                stopped.push(partition);
            }
        }
        if !stopped.is_empty() {
            tracing::info!(?stopped, "held");
            self.worker.tell(Command::Stop(stopped));
        }
    }

    /// Takes note of what the survey says, and gives the tasks that rest no longer. They are claimed again: what is
    /// still on its way from the reader is of the claim before, and is left out.
    pub(super) fn released(&mut self, survey: &Survey) -> Vec<i32> {
        for row in &survey.tasks {
            if let Some(task) = self.held.get_mut(&row.partition).filter(|task| task.owner == row.owner) {
                task.hold = row.hold;
            }
        }
        self.rest();
        let released = self.held.iter().filter(|(_, task)| task.rests && !task.stands());
        released.map(|(&partition, _)| partition).collect()
    }
}
