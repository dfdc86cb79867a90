//! Positions: where a revision stands in each partition, compared with the end of the topics and with another revision.

use super::observed::{Kafka, RevisionRow};
use std::collections::BTreeMap;

/// How far a revision is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// This many records in all.
    Records(i64),
    /// A partition is not read yet, or its end could not be asked.
    Unmeasured,
}

impl Behind {
    /// At most `records` behind.
    pub fn within(self, records: i64) -> bool {
        match self {
            Behind::Records(behind) => behind <= records,
            Behind::Unmeasured => false,
        }
    }
}

/// How far `row` is behind the ends of its topics.
pub fn behind_ends(row: &RevisionRow, kafka: &Kafka) -> Behind {
    let mut behind = 0;
    for topic in row.topics() {
        let Some(seen) = kafka.topic(topic) else { return Behind::Unmeasured };
        for (&number, offsets) in &seen.partitions {
            let Some(task) = row.task(topic, number) else { return Behind::Unmeasured };
            behind += (offsets.end - task.next_offset).max(0);
        }
    }
    Behind::Records(behind)
}

/// How far `next` is behind `live` in the partitions that both read. `Unmeasured` when `next` lacks one of them.
pub fn behind_live(next: &RevisionRow, live: &RevisionRow) -> Behind {
    let mut behind = 0;
    for task in &live.progress {
        if !next.reads(&task.topic) {
            continue;
        }
        match next.task(&task.topic, task.partition) {
            Some(other) if other.topic_id != task.topic_id => {}
            Some(other) => behind += (task.next_offset - other.next_offset).max(0),
            None => return Behind::Unmeasured,
        }
    }
    Behind::Records(behind)
}

/// Whether the two revisions read a topic in common: only then can they be compared with each other.
pub fn comparable(next: &RevisionRow, live: &RevisionRow) -> bool {
    live.progress.iter().any(|task| next.progress.iter().any(|other| other.topic_id == task.topic_id))
}

/// Records that `row` has read, and all that there are to read by the present ends.
pub fn done_and_total(row: &RevisionRow, kafka: &Kafka) -> (i64, i64) {
    let ends: BTreeMap<(&str, i32), i64> = kafka
        .topics()
        .flat_map(|(name, topic)| topic.partitions.iter().map(move |(&number, offsets)| ((name, number), offsets.end)))
        .collect();
    row.progress.iter().fold((0, 0), |(done, total), task| {
        let end = ends.get(&(task.topic.as_str(), task.partition)).copied().unwrap_or(task.next_offset);
        let read = task.next_offset - task.start_offset;
        (done + read, total + read.max(end - task.start_offset))
    })
}
