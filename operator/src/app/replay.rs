//! The replay that an app asks for.

use crate::view::{moment::Moment, replay::ReplayFrom as ViewFrom};
use k8s_openapi::jiff::Timestamp;
use millrace_crds::{self as crds, OffsetsByTopic};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub id: String,
    pub from: ReplayFrom,
}

/// Where a replay begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayFrom {
    /// At a place that a view's replay may begin at, too. Of `Offsets`, partitions that are not named stay where they are.
    Place(ViewFrom),
    /// So many records after where each partition is, or before it.
    ShiftBy(i64),
    /// Where the group was before the replay of this id.
    Saved(String),
}

impl ReplayFrom {
    /// The time whose offsets Kafka has to be asked for.
    pub fn time(&self, now: Moment) -> Option<Moment> {
        match self {
            ReplayFrom::Place(place) => place.time(now),
            ReplayFrom::ShiftBy(_) | ReplayFrom::Saved(_) => None,
        }
    }
}

/// What the API server would have refused is a sentence.
pub fn parse(field: Option<&crds::AppReplay>) -> Result<Option<Replay>, String> {
    let Some(crds::AppReplay { id, from }) = field else { return Ok(None) };
    Ok(Some(Replay { id: id.clone(), from: parse_from(from)? }))
}

fn parse_from(from: &crds::AppReplayFrom) -> Result<ReplayFrom, String> {
    let crds::AppReplayFrom { earliest, latest, timestamp, duration, offsets, shift_by, saved } = from;
    match (earliest, latest, timestamp, duration, offsets, shift_by, saved) {
        (Some(_), None, None, None, None, None, None) => Ok(ReplayFrom::Place(ViewFrom::Earliest)),
        (None, Some(_), None, None, None, None, None) => Ok(ReplayFrom::Place(ViewFrom::Latest)),
        (None, None, Some(text), None, None, None, None) => {
            let time: Timestamp =
                text.parse().map_err(|error| format!("replay.from.timestamp is '{text}', but {error}"))?;
            Ok(ReplayFrom::Place(ViewFrom::Time(Moment(time.as_millisecond().max(0)))))
        }
        (None, None, None, Some(text), None, None, None) => {
            let ago = crds::duration::parse_duration(text).map_err(|error| format!("replay.from.duration: {error}"))?;
            Ok(ReplayFrom::Place(ViewFrom::Ago(ago)))
        }
        (None, None, None, None, Some(offsets), None, None) => {
            let mut by_topic = OffsetsByTopic::new();
            for (topic, partitions) in offsets {
                for (partition, offset) in partitions {
                    let number = partition.parse().map_err(|_| {
                        format!("replay.from.offsets has the partition '{partition}', but it must be a number")
                    })?;
                    by_topic.entry(topic.clone()).or_default().insert(number, *offset);
                }
            }
            Ok(ReplayFrom::Place(ViewFrom::Offsets(by_topic)))
        }
        (None, None, None, None, None, Some(records), None) => Ok(ReplayFrom::ShiftBy(*records)),
        (None, None, None, None, None, None, Some(id)) => Ok(ReplayFrom::Saved(id.clone())),
        _ => Err(
            "replay.from must have one choice of earliest, latest, timestamp, duration, offsets, shiftBy and saved; \
                  write one"
                .into(),
        ),
    }
}
