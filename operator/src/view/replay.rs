//! Replays that a resource asks for, by its field and by an annotation, and which of them has not acted yet.

use super::{desired::Desired, moment::Moment};
use k8s_openapi::jiff::Timestamp;
use millrace_contract::faults::sabotaged;
use millrace_crds as crds;
use std::{collections::BTreeMap, time::Duration};

/// The annotation that asks for a replay of everything, as the field does.
pub const REPLAY: &str = "millrace.dev/replay";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub id: String,
    pub from: ReplayFrom,
    /// What the topics no longer have may be missing.
    pub accept_truncation: bool,
    /// What the live revision has may be missing.
    pub discard_history: bool,
}

/// Where a replay begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayFrom {
    Earliest,
    Latest,
    Time(Moment),
    /// This long before the replay begins.
    Ago(Duration),
    /// By topic and partition; topics that are not named begin at their oldest record.
    Offsets(BTreeMap<String, BTreeMap<i32, i64>>),
}

impl ReplayFrom {
    /// The time whose offsets Kafka has to be asked for.
    pub fn time(&self, now: Moment) -> Option<Moment> {
        match self {
            ReplayFrom::Time(moment) => Some(*moment),
            ReplayFrom::Ago(duration) => {
                Some(Moment(now.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)).max(0)))
            }
            ReplayFrom::Earliest | ReplayFrom::Latest | ReplayFrom::Offsets(_) => None,
        }
    }
}

/// The replays of a resource: what a person has just typed is before what stands in the manifest. What the API server
/// would have refused is a sentence.
pub fn parse(
    annotation: Option<&String>,
    field: Option<&crds::Replay>,
    sources: &[crds::Source],
) -> Result<Vec<Replay>, String> {
    let mut replays = Vec::new();
    // Written in the field, the same id says more.
    if let Some(id) = annotation.filter(|id| field.is_none_or(|field| field.id != **id)) {
        if !crds::request::is_id(id) {
            return Err(format!(
                "the annotation {REPLAY} is '{id}', but it must have letters a to z, digits, dots, _ and - only, begin and \
                 end with a letter or a digit, and have at most 63 characters; write for example after-bugfix-42"
            ));
        }
        let id = id.clone();
        replays.push(Replay { id, from: ReplayFrom::Earliest, accept_truncation: false, discard_history: false });
    }
    if let Some(crds::Replay { id, from, accept_truncation, discard_history }) = field {
        replays.push(Replay {
            id: id.clone(),
            from: parse_from(from, sources)?,
            accept_truncation: *accept_truncation,
            discard_history: *discard_history,
        });
    }
    Ok(replays)
}

fn parse_from(from: &crds::ReplayFrom, sources: &[crds::Source]) -> Result<ReplayFrom, String> {
    let crds::ReplayFrom { earliest, latest, timestamp, duration, offsets } = from;
    match (earliest, latest, timestamp, duration, offsets) {
        (Some(_), None, None, None, None) => Ok(ReplayFrom::Earliest),
        (None, Some(_), None, None, None) => Ok(ReplayFrom::Latest),
        (None, None, Some(text), None, None) => {
            let time: Timestamp =
                text.parse().map_err(|error| format!("replay.from.timestamp is '{text}', but {error}"))?;
            Ok(ReplayFrom::Time(Moment(time.as_millisecond().max(0))))
        }
        (None, None, None, Some(text), None) => {
            let ago = crds::duration::parse_duration(text).map_err(|error| format!("replay.from.duration: {error}"))?;
            Ok(ReplayFrom::Ago(ago))
        }
        (None, None, None, None, Some(offsets)) => by_topic(offsets, sources),
        _ => {
            Err("replay.from must have one choice of earliest, latest, timestamp, duration and offsets; write one"
                .into())
        }
    }
}

fn by_topic(offsets: &BTreeMap<String, BTreeMap<String, i64>>, sources: &[crds::Source]) -> Result<ReplayFrom, String> {
    let mut by_topic: BTreeMap<String, BTreeMap<i32, i64>> = BTreeMap::new();
    for (name, partitions) in offsets {
        let Some(source) = sources.iter().find(|source| source.name == *name) else {
            return Err(format!("replay.from.offsets names the source '{name}', but spec.sources has no such source"));
        };
        for (partition, &offset) in partitions {
            let number: i32 = partition
                .parse()
                .map_err(|_| format!("replay.from.offsets has the partition '{partition}', but it must be a number"))?;
            let before = by_topic.entry(source.topic.clone()).or_default().insert(number, offset);
            if before.is_some_and(|before| before != offset) {
                return Err(format!(
                    "replay.from.offsets begins partition {number} of topic {} at {offset} and elsewhere too, but two \
                     sources of one topic begin at one place; write the same offset for both",
                    source.topic
                ));
            }
        }
    }
    Ok(ReplayFrom::Offsets(by_topic))
}

/// The time that Kafka has to be asked about: that of a replay which the status does not know.
pub fn asked_time(desired: &Desired, now: Moment) -> Option<Moment> {
    let new = desired.replays.iter().filter(|replay| !desired.remembered_replays.contains(&replay.id));
    new.filter_map(|replay| replay.from.time(now)).next()
}

/// The first replay that neither `in_catalog` nor the status knows: an id acts once, whichever way it came.
pub fn new_replay<'a>(desired: &'a Desired, in_catalog: &[&str]) -> Option<&'a Replay> {
    let acted =
        |id: &str| in_catalog.contains(&id) || desired.remembered_replays.iter().any(|remembered| remembered == id);
    desired.replays.iter().find(|replay| !acted(&replay.id) || sabotaged("replay_acts_twice"))
}
