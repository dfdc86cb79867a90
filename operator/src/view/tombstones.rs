//! Tombstones: a compacted topic keeps them for a while, and a Table that was not read for longer may have missed some.

use super::{
    moment::Moment,
    observed::{Kafka, Progress, RevisionRow},
    position::behind_ends,
    promotion::BUILT_WITHIN,
    trouble::Trouble,
};
use millrace_crds::Reason;
use std::time::Duration;

/// That `row` stood still, with records left to read, for longer than their tombstones are kept. What was deleted
/// meanwhile may never be seen to be, and only a build from the start knows.
pub fn paused_too_long(row: &RevisionRow, kafka: &Kafka, now: Moment) -> Option<Trouble> {
    let paused = pause(row, kafka, now)?;
    Some(missed(format!(
        "{paused}; it is built anew beside the live revision, as a replay (spec.replay with a new id) would do at any time"
    )))
}

/// The same of a revision that is built.
pub fn build_paused_too_long(row: &RevisionRow, kafka: &Kafka, now: Moment) -> Option<Trouble> {
    let paused = pause(row, kafka, now)?;
    Some(missed(format!("{paused}; ask for a replay (spec.replay with a new id) to build it from the start")))
}

fn pause(row: &RevisionRow, kafka: &Kafka, now: Moment) -> Option<String> {
    // Workers of a revision that stands still keep their leases.
    let stood_still = row.paced_at.filter(|_| row.pace == Some(0));
    compacted(row, kafka).find_map(|(task, kept)| {
        let held = task.lease_until?;
        let paused = now.since(stood_still.map_or(held, |at| at.min(held)));
        let begun = task.next_offset > task.start_offset;
        let left = kafka.topic(&task.topic)?.partitions.get(&task.partition)?.end > task.next_offset;
        (begun && left && paused > kept).then(|| {
            format!(
                "topic {} partition {} was not read for {} s and keeps tombstones for {} s (delete.retention.ms): keys \
                 that were deleted meanwhile may stay in the view",
                task.topic,
                task.partition,
                paused.as_secs(),
                kept.as_secs()
            )
        })
    })
}

/// That the build of `row` takes longer than tombstones are kept: keys that it has read may have been deleted since.
pub fn built_too_long(row: &RevisionRow, kafka: &Kafka, now: Moment) -> Option<Trouble> {
    let age = now.since(row.created_at);
    let (task, kept) = compacted(row, kafka).find(|(_, kept)| age > *kept)?;
    (!behind_ends(row, kafka).within(BUILT_WITHIN)).then(|| {
        missed(format!(
            "the build took longer than {} s already, for which topic {} keeps tombstones (delete.retention.ms): keys that \
             were deleted meanwhile may stay in its result; let the topic keep them for longer, or give the view more \
             workers, and ask for a replay (spec.replay with a new id)",
            kept.as_secs(),
            task.topic
        ))
    })
}

/// The partitions of compacted topics that `row` reads as a Table, and how long each keeps tombstones.
fn compacted<'a>(row: &'a RevisionRow, kafka: &'a Kafka) -> impl Iterator<Item = (&'a Progress, Duration)> {
    let of_table = |task: &&Progress| row.plan.as_ref().is_ok_and(|plan| plan.reads_table(&task.topic));
    let tasks = row.progress.iter().filter(of_table);
    tasks.filter_map(|task| Some((task, kafka.topic(&task.topic)?.keeps_tombstones?)))
}

fn missed(message: String) -> Trouble {
    Trouble::sources(Reason::TombstonesMayBeLost, message)
}
