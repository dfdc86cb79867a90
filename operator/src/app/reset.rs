//! Where a group is moved to by a replay: resolved once, when its offsets are written down.

use super::{
    desired::Desired,
    ledger::SAVED_IN_LEDGER,
    observed::Group,
    replay::{Replay, ReplayFrom},
};
use crate::view::{
    observed::{Kafka, Offsets, Topic},
    replay::ReplayFrom as Place,
    start::NotYet,
    trouble::Trouble,
};
use millrace_crds::{AppReplayStatus, OffsetsByTopic, Reason};

/// What a replay does to one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub topic: String,
    pub partition: i32,
    /// What the group has committed; none: nothing.
    pub committed: Option<i64>,
    /// Where it begins; none: it stays where it is.
    pub begin: Option<i64>,
    /// Where the partition ends now.
    pub end: i64,
    /// What retention has removed of what is asked for.
    pub cut_off: Option<String>,
}

impl Move {
    /// How many records are read that the group had read already.
    pub fn again(&self) -> i64 {
        self.begin.zip(self.committed).map_or(0, |(begin, committed)| (committed - begin).max(0))
    }

    /// How many records are left out that the group had not read.
    pub fn left_out(&self) -> i64 {
        self.begin.zip(self.committed).map_or(0, |(begin, committed)| (begin - committed).max(0))
    }
}

/// The moves of all partitions of all inputs. `replays`: those that are written down.
pub fn moves(
    desired: &Desired,
    replay: &Replay,
    kafka: &Kafka,
    group: &Group,
    replays: &[AppReplayStatus],
) -> Result<Vec<Move>, NotYet> {
    let saved = match &replay.from {
        ReplayFrom::Saved(id) => Some(saved(id, replays)?),
        ReplayFrom::Place(_) | ReplayFrom::ShiftBy(_) => None,
    };
    if let ReplayFrom::Place(Place::Offsets(by_topic)) = &replay.from {
        every_partition_is_there(by_topic, kafka)?;
    }
    let mut moves = Vec::new();
    for wish in &desired.inputs {
        let Some(topic) = kafka.topic(&wish.topic).filter(|topic| !topic.partitions.is_empty()) else {
            return Err(NotYet::Waiting(format!("topic {}", wish.topic)));
        };
        for (&partition, &offsets) in &topic.partitions {
            let committed = group.committed(&wish.topic, partition);
            let place = Partition { topic, name: &wish.topic, partition, offsets, committed };
            let asked = place.asked(&replay.from, saved)?;
            let cut_off = asked.filter(|asked| *asked < offsets.earliest).map(|asked| {
                format!(
                    "topic {} partition {partition} begins at offset {} now, asked for is {asked}",
                    wish.topic, offsets.earliest
                )
            });
            moves.push(Move {
                topic: wish.topic.clone(),
                partition,
                committed,
                begin: asked.map(|asked| asked.clamp(offsets.earliest, offsets.end.max(offsets.earliest))),
                end: offsets.end,
                cut_off: cut_off.or_else(|| place.cut_by_time(&replay.from)),
            });
        }
    }
    Ok(moves)
}

/// The offsets of the moves.
pub fn begin_of(moves: &[Move]) -> OffsetsByTopic {
    collected(moves, |part| part.begin)
}

/// Where the partitions ended.
pub fn ends_of(moves: &[Move]) -> OffsetsByTopic {
    collected(moves, |part| Some(part.end))
}

fn collected(moves: &[Move], of: impl Fn(&Move) -> Option<i64>) -> OffsetsByTopic {
    let mut offsets = OffsetsByTopic::new();
    for part in moves {
        if let Some(offset) = of(part) {
            offsets.entry(part.topic.clone()).or_default().insert(part.partition, offset);
        }
    }
    offsets
}

/// One partition, and what is known of it.
struct Partition<'a> {
    topic: &'a Topic,
    name: &'a str,
    partition: i32,
    offsets: Offsets,
    committed: Option<i64>,
}

impl Partition<'_> {
    /// The offset that is asked for, before what the topic has is looked at; none: it stays.
    fn asked(&self, from: &ReplayFrom, saved: Option<&OffsetsByTopic>) -> Result<Option<i64>, NotYet> {
        let Partition { topic, name, partition, offsets, committed } = self;
        match from {
            ReplayFrom::Place(Place::Earliest) => Ok(Some(offsets.earliest)),
            ReplayFrom::Place(Place::Latest) => Ok(Some(offsets.end)),
            ReplayFrom::Place(Place::Time(_) | Place::Ago(_)) => match topic.since.get(partition) {
                Some(&offset) => Ok(Some(offset)),
                None => Err(NotYet::Waiting(format!("the offset of topic {name} partition {partition} at that time"))),
            },
            ReplayFrom::Place(Place::Offsets(by_topic)) => {
                let Some(&offset) = by_topic.get(*name).and_then(|partitions| partitions.get(partition)) else {
                    return Ok(None);
                };
                if offset < offsets.earliest || offset > offsets.end {
                    return Err(invalid(format!(
                        "replay.from.offsets begins partition {partition} of topic {name} at {offset}, but it has the offsets \
                         {} to {}; write one of them",
                        offsets.earliest, offsets.end
                    )));
                }
                Ok(Some(offset))
            }
            ReplayFrom::ShiftBy(records) => Ok(Some(committed.unwrap_or(offsets.earliest).saturating_add(*records))),
            // A partition that had no position then is read from its oldest record, as it was then.
            ReplayFrom::Saved(_) => {
                let offset = saved.and_then(|saved| saved.get(*name)?.get(partition)).copied();
                Ok(Some(offset.unwrap_or(offsets.earliest)))
            }
        }
    }

    /// Older records are gone, and nobody knows whether they were of the time asked for.
    fn cut_by_time(&self, from: &ReplayFrom) -> Option<String> {
        let ReplayFrom::Place(Place::Time(_) | Place::Ago(_)) = from else { return None };
        let Offsets { earliest, .. } = self.offsets;
        let first = self.topic.since.get(&self.partition).is_some_and(|since| *since <= earliest);
        (first && earliest > 0).then(|| {
            format!(
                "topic {} partition {} begins at offset {earliest} now, and older records may be of the time asked for",
                self.name, self.partition
            )
        })
    }
}

fn saved<'a>(id: &str, replays: &'a [AppReplayStatus]) -> Result<&'a OffsetsByTopic, NotYet> {
    let Some(replay) = replays.iter().find(|replay| replay.id == id) else {
        let known: Vec<&str> = replays.iter().map(|replay| replay.id.as_str()).collect();
        let known =
            if known.is_empty() { "there was no replay yet".into() } else { format!("known are {}", known.join(", ")) };
        return Err(invalid(format!(
            "replay.from.saved is '{id}', but there was no replay of that id; {known}: write the id of a replay that was"
        )));
    };
    let newer = replays.iter().rev().take_while(|newer| newer.id != id).count();
    if newer >= SAVED_IN_LEDGER {
        return Err(invalid(format!(
            "replay.from.saved is '{id}', but {newer} replays came after it and its offsets are forgotten; write one of the \
             newest {SAVED_IN_LEDGER}, or offsets"
        )));
    }
    // One that saved nothing found a group that had committed nothing: it goes back to the beginning.
    Ok(&replay.saved)
}

fn every_partition_is_there(by_topic: &OffsetsByTopic, kafka: &Kafka) -> Result<(), NotYet> {
    for (name, partitions) in by_topic {
        let Some(topic) = kafka.topic(name) else { continue };
        if let Some(missing) = partitions.keys().find(|number| !topic.partitions.contains_key(number)) {
            return Err(invalid(format!(
                "replay.from.offsets has partition {missing} of topic {name}, but the topic has {} partitions, from 0 on; \
                 take it out",
                topic.partitions.len()
            )));
        }
    }
    Ok(())
}

fn invalid(sentence: String) -> NotYet {
    NotYet::Held(Trouble::group(Reason::InvalidSpec, sentence))
}
