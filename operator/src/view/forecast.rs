//! Forecast: what a rollout will do, before it does it: what changes, what is read, how long it takes, what it needs.

use super::{
    approval::{lost, needs_a_person},
    building::objections,
    changes::changes,
    desired::Desired,
    figures::{count, size, time, two_digits},
    goal::{Goal, gone_back_to},
    name::Revision,
    observed::{Kafka, RevisionRow, ViewRow},
    plan::Sight,
    promotion::goes_live_unfinished,
    replay::new_replay,
    speed::{MEASURED_FROM, Speed, measured},
    start::{Beginning, NotYet, Range, beginning},
    trouble::Trouble,
    workers::for_tasks,
};
use millrace_contract::revision::RevisionState;
use millrace_crds as crds;
use std::collections::BTreeSet;

/// As many partitions, and as many changes, as are listed.
pub const LISTED: usize = 32;

#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    pub revision: Revision,
    /// What readers see until then.
    pub live: Option<Revision>,
    /// In what it differs from the live one, as phrases.
    pub changes: Vec<String>,
    /// What is read, or why that is not known.
    pub reading: Result<Reading, NotYet>,
    pub workers: i32,
    /// Bytes of the live revision in Postgres, if they were asked.
    pub live_bytes: Option<i64>,
    /// It goes live at once and empty, and the live one is dropped.
    pub in_place: bool,
    /// It goes live when a person lets it.
    pub needs_a_person: bool,
    /// Why it would not be built.
    pub refusals: Vec<Trouble>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// By topic and partition.
    pub shares: Vec<Share>,
    /// None: those of the live revision were not counted.
    pub bytes: Option<i64>,
    /// None: no build of the view was measured.
    pub speed: Option<Speed>,
}

/// What is read of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub topic: String,
    pub partition: i32,
    pub from: i64,
    pub to: i64,
    /// Retention has removed a part of it, or will have before it is read.
    pub cut_off: bool,
}

/// Whether another revision than the live one is asked for.
pub fn is_due(desired: &Desired, view: &ViewRow) -> bool {
    let Ok(query) = &desired.query else { return false };
    let replays: Vec<&str> = view.replays.iter().map(|replay| replay.id.as_str()).collect();
    let named = query.revision(view.replay_count);
    let asked = gone_back_to(view, query).unwrap_or(&named);
    view.live.as_ref().is_some_and(|live| live != asked || new_replay(desired, &replays).is_some())
}

/// What becomes of the rollout that `goal` is the end of.
pub fn forecast(sight: Sight<'_>, goal: &Goal<'_>) -> Forecast {
    let mut refusals: Vec<Trouble> = objections(sight, goal).collect();
    let shares = match (sight.view.revisions.get(&goal.revision), sight.kafka()) {
        (Some(row), Some(kafka)) => Ok(left_to(row, kafka)),
        (Some(_), None) => Err(NotYet::Waiting("Kafka".to_owned())),
        (None, _) => beginning(sight, goal.query, goal.replay).map(|Beginning { ranges, refusal }| {
            refusals.extend(refusal);
            ranges.into_iter().map(Share::of).collect()
        }),
    };
    if let Err(NotYet::Held(refusal)) = &shares {
        refusals.push(refusal.clone());
    }
    let partitions = shares.iter().flatten().map(|share| share.partition).collect::<BTreeSet<_>>();
    let reading = shares.map(|shares| Reading {
        bytes: sight.live().and_then(|(_, live)| bytes(live, records(&shares))),
        speed: measured(sight.view).map(|speed| speed.within(sight.desired.rollout.max_records_per_second)),
        shares,
    });
    Forecast {
        revision: goal.revision.clone(),
        live: sight.view.live.clone(),
        changes: changes(sight, goal),
        reading,
        workers: for_tasks(sight.desired, partitions.len()),
        live_bytes: sight.view.live_bytes,
        in_place: sight.view.live.is_some() && goes_live_unfinished(sight, goal),
        needs_a_person: needs_a_person(sight, goal, &lost(sight, &goal.query.plan)),
        refusals,
    }
}

/// What a revision that is there reads: all of it while it is built, what it lacks when it was live before.
fn left_to(row: &RevisionRow, kafka: &Kafka) -> Vec<Share> {
    let tasks = row.progress.iter();
    tasks
        .map(|task| {
            let from = if row.state == RevisionState::Open { task.start_offset } else { task.next_offset };
            let offsets = kafka.topic(&task.topic).and_then(|topic| topic.partitions.get(&task.partition));
            Share {
                topic: task.topic.clone(),
                partition: task.partition,
                from,
                to: offsets.map_or(task.next_offset, |offsets| offsets.end.max(task.next_offset)),
                cut_off: offsets.is_some_and(|offsets| task.next_offset < offsets.earliest),
            }
        })
        .collect()
}

fn records(shares: &[Share]) -> i64 {
    shares.iter().map(Share::records).sum()
}

/// How many bytes so many records are, when they are as large as those that `live` has read.
fn bytes(live: &RevisionRow, records: i64) -> Option<i64> {
    let counted = live.progress.iter().filter_map(|task| Some((task.next_offset - task.start_offset, task.bytes?)));
    let (read, bytes) = counted.fold((0, 0), |(read, bytes), (more, size)| (read + more, bytes + size));
    let all = i128::from(bytes) * i128::from(records);
    (read > 0).then(|| i64::try_from(all / i128::from(read)).unwrap_or(i64::MAX))
}

impl Share {
    fn of(Range { start, end, cut_off }: Range) -> Share {
        Share { topic: start.topic, partition: start.partition, from: start.offset, to: end, cut_off }
    }

    pub fn records(&self) -> i64 {
        (self.to - self.from).max(0)
    }
}

impl Reading {
    fn seconds(&self) -> Option<i64> {
        Some(self.speed?.seconds_for(records(&self.shares)).round() as i64)
    }
}

impl Forecast {
    /// What it reads and needs, as sentences, with numbers as `round` makes them.
    pub fn takes(&self, round: fn(i64) -> i64) -> Vec<String> {
        let mut takes = Vec::new();
        match &self.reading {
            Ok(reading) => {
                let bytes = reading.bytes.map(|bytes| format!(", about {}", size(bytes))).unwrap_or_default();
                let workers = if self.workers == 1 { "worker" } else { "workers" };
                takes.push(format!(
                    "{} records are read by {} {workers}{bytes}",
                    count(round(records(&reading.shares))),
                    self.workers
                ));
                takes.push(match (reading.seconds(), reading.speed) {
                    (Some(seconds), Some(speed)) => {
                        format!("that takes about {}, at {speed}", time(two_digits(seconds)))
                    }
                    (None, _) | (_, None) => format!(
                        "how long that takes is not known yet: no revision of this view was built from {} records or more",
                        count(MEASURED_FROM)
                    ),
                });
                let cut = reading.shares.iter().filter(|share| share.cut_off).count();
                if cut > 0 {
                    takes.push(format!("retention cuts off {cut} of {} partitions", reading.shares.len()));
                }
            }
            Err(NotYet::Waiting(what)) => takes.push(format!("what is read is not known yet: it waits for {what}")),
            Err(NotYet::Held(_)) => {}
        }
        takes.extend(self.live_bytes.map(|bytes| {
            let then = if self.in_place {
                "which are dropped when the new revision goes live".to_owned()
            } else {
                format!("and about {} while both revisions are there", size(bytes.saturating_mul(2)))
            };
            format!("Postgres holds {} of this view, {then}", size(bytes))
        }));
        if self.needs_a_person && self.refusals.is_empty() {
            takes.push("it goes live when a person promotes it".to_owned());
        }
        takes
    }

    /// As the resources show it, with numbers as `round` makes them.
    pub fn shown(&self, round: fn(i64) -> i64) -> crds::Forecast {
        let reading = self.reading.as_ref().ok();
        let shares = reading.map(|reading| reading.shares.as_slice()).unwrap_or_default();
        let more = shares.len().saturating_sub(LISTED);
        crds::Forecast {
            sentences: self.changes.iter().take(LISTED).cloned().chain(self.takes(round)).map(short).collect(),
            records: reading.map(|reading| round(records(&reading.shares))),
            bytes: reading.and_then(|reading| reading.bytes).map(round),
            seconds: reading.and_then(Reading::seconds).map(round),
            bytes_in_postgres: self.live_bytes.map(round),
            bytes_in_postgres_with_both: self
                .live_bytes
                .filter(|_| !self.in_place)
                .map(|bytes| round(bytes.saturating_mul(2))),
            workers: self.workers,
            partitions: shares
                .iter()
                .take(LISTED)
                .map(|share| crds::PartitionForecast {
                    topic: share.topic.clone(),
                    partition: share.partition,
                    from: share.from,
                    records: round(share.records()),
                    cut_off: share.cut_off,
                })
                .collect(),
            more_partitions: (more > 0).then(|| i32::try_from(more).unwrap_or(i32::MAX)),
        }
    }
}

/// As long as a sentence may be in a resource.
fn short(sentence: String) -> String {
    sentence.chars().take(1_000).collect()
}
