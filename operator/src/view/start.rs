//! Where a new revision starts to read: resolved once, when it is made, and refused where readers would lose what they
//! have without anybody having said so.

use super::{
    action::Start,
    desired::{Query, TopicWish},
    known::Known,
    observed::{Kafka, Offsets, RevisionRow, Topic},
    plan::Sight,
    replay::{Replay, ReplayFrom},
    topics::check_identity,
    trouble::Trouble,
};
use millrace_contract::{plan::Output, source::SourceKind};
use millrace_crds::Reason;
use std::collections::BTreeMap;

/// Why there is no new revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotYet {
    Waiting(String),
    Held(Trouble),
}

/// As many partitions as a sentence names.
const NAMED: usize = 8;

/// Where a new revision starts in every partition: where `replay` says, or else where the one before it has started.
pub fn starts(sight: Sight<'_>, query: &Query, replay: Option<&Replay>) -> Result<Vec<Start>, NotYet> {
    let kafka = match &sight.observed.kafka {
        Known::Present(kafka) => kafka,
        Known::Unknown(trouble) => return Err(NotYet::Waiting(trouble.message.clone())),
        Known::Absent => return Err(NotYet::Waiting("Kafka".into())),
    };
    // A replay is the way out when records are gone that the live revision has not read: then it keeps nothing.
    let live = sight.live().filter(|(_, row)| check_identity(row, kafka).is_ok());
    // A view that was to begin somewhere goes on doing so when its query is changed.
    let before = live.map(|(_, row)| row).or_else(|| {
        let rows = sight.view.revisions.values().filter(|_| sight.view.live.is_none());
        rows.max_by_key(|row| row.created_at)
    });
    let mut asked = Vec::new();
    for wish in &sight.desired.topics {
        let topic = whole(wish, kafka)?;
        for (&partition, offsets) in &topic.partitions {
            let begun = live.and_then(|(_, row)| begun(row, &wish.topic, partition, &topic.id));
            let from = match replay {
                Some(replay) => resolve(replay, topic, &wish.topic, partition, *offsets)?,
                None => before
                    .and_then(|row| self::begun(row, &wish.topic, partition, &topic.id))
                    .map_or(From::oldest(*offsets), |begun| From::exactly(begun.start)),
            };
            let start = Start {
                topic: wish.topic.clone(),
                partition,
                topic_id: topic.id.clone(),
                kafka_cluster_id: kafka.cluster_id.clone(),
                offset: from.offset.max(offsets.earliest),
            };
            if !asked.iter().any(|other: &Asked| other.start == start) {
                asked.push(Asked { start, from, offsets: *offsets, begun });
            }
        }
    }
    if let Some(ReplayFrom::Offsets(by_topic)) = replay.map(|replay| &replay.from) {
        every_partition_is_there(by_topic, kafka)?;
    }
    let accepted = replay.is_some_and(|replay| replay.accept_truncation);
    let cut = if accepted { None } else { truncated(&asked, live.is_some(), replay) };
    let lost = replay.filter(|replay| !replay.discard_history);
    let lost = lost.and_then(|replay| discarded(&asked, keeps_state(query), replay));
    if let Some(refusal) = cut.or(lost) {
        return Err(NotYet::Held(refusal));
    }
    let mut starts: Vec<Start> = asked.into_iter().map(|asked| asked.start).collect();
    starts.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(starts)
}

/// One partition of a new revision.
struct Asked {
    start: Start,
    from: From,
    offsets: Offsets,
    begun: Option<Begun>,
}

/// What is asked for in one partition, before what the topic has is looked at.
#[derive(Debug, Clone, Copy)]
struct From {
    offset: i64,
    /// Records from there on may be gone.
    cut: bool,
}

impl From {
    fn oldest(offsets: Offsets) -> From {
        From { offset: offsets.earliest, cut: false }
    }

    fn exactly(offset: i64) -> From {
        From { offset, cut: false }
    }
}

/// Where the live revision has started, and up to where it has read.
#[derive(Debug, Clone, Copy)]
struct Begun {
    start: i64,
    next: i64,
}

fn begun(live: &RevisionRow, topic: &str, partition: i32, id: &str) -> Option<Begun> {
    let task = live.task(topic, partition).filter(|task| task.topic_id == id)?;
    Some(Begun { start: task.start_offset, next: task.next_offset })
}

/// The topic, once it is there with as many partitions as asked for.
fn whole<'a>(wish: &TopicWish, kafka: &'a Kafka) -> Result<&'a Topic, NotYet> {
    let Some(topic) = kafka.topic(&wish.topic).filter(|topic| !topic.partitions.is_empty()) else {
        return Err(NotYet::Waiting(format!("topic {}", wish.topic)));
    };
    if wish.ensure.as_ref().is_some_and(|ensure| (topic.partitions.len() as i64) < i64::from(ensure.partitions)) {
        return Err(NotYet::Waiting(format!("the partitions of topic {}", wish.topic)));
    }
    Ok(topic)
}

fn resolve(replay: &Replay, topic: &Topic, name: &str, partition: i32, offsets: Offsets) -> Result<From, NotYet> {
    match &replay.from {
        ReplayFrom::Earliest => Ok(From::oldest(offsets)),
        ReplayFrom::Latest => Ok(From::exactly(offsets.end)),
        ReplayFrom::Time(_) | ReplayFrom::Ago(_) => {
            let Some(&offset) = topic.since.get(&partition) else {
                return Err(NotYet::Waiting(format!("the offset of topic {name} partition {partition} at that time")));
            };
            // Older records are gone, and nobody knows whether they were of that time.
            Ok(From { offset, cut: offset <= offsets.earliest && offsets.earliest > 0 })
        }
        ReplayFrom::Offsets(by_topic) => {
            let Some(partitions) = by_topic.get(name) else { return Ok(From::oldest(offsets)) };
            let Some(&offset) = partitions.get(&partition) else {
                return Err(invalid(format!(
                    "replay.from.offsets says nothing of partition {partition} of topic {name}, but a replay from offsets \
                     must say where each partition begins; it has the offsets {} to {}: write one of them",
                    offsets.earliest, offsets.end
                )));
            };
            if offset > offsets.end {
                return Err(invalid(format!(
                    "replay.from.offsets begins partition {partition} of topic {name} at {offset}, but it ends at {}; write \
                     {} or less",
                    offsets.end, offsets.end
                )));
            }
            Ok(From { offset, cut: offset < offsets.earliest })
        }
    }
}

fn invalid(sentence: String) -> NotYet {
    NotYet::Held(Trouble::rollout(Reason::InvalidSpec, sentence))
}

fn every_partition_is_there(by_topic: &BTreeMap<String, BTreeMap<i32, i64>>, kafka: &Kafka) -> Result<(), NotYet> {
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

/// Whether older records change what newer ones give: a key that is not read again is missing, a sum is another one.
fn keeps_state(query: &Query) -> bool {
    let table = query.plan.source.kind == SourceKind::Table;
    match query.plan.output {
        Output::Append { .. } => table,
        Output::Upsert { .. } | Output::Aggregate { .. } => true,
    }
}

/// What is wrong when retention has removed a part of what is asked for, or of what the live revision was built from.
fn truncated(asked: &[Asked], live: bool, replay: Option<&Replay>) -> Option<Trouble> {
    let cut = asked.iter().filter_map(|Asked { start, from, offsets, begun }| {
        let gone = begun.filter(|begun| {
            from.offset <= offsets.earliest && begun.start < offsets.earliest && begun.next > begun.start
        });
        let place =
            format!("topic {} partition {} begins at offset {} now", start.topic, start.partition, offsets.earliest);
        match gone {
            Some(begun) => Some(format!("{place}, the live revision was built from offset {}", begun.start)),
            None if from.cut && from.offset < offsets.earliest => {
                Some(format!("{place}, asked for is {}", from.offset))
            }
            None if from.cut => Some(format!("{place}, and older records may be of the time asked for")),
            None => None,
        }
    });
    let stays = if live { "the live one stays" } else { "nothing is built" };
    let mend = match replay {
        Some(_) => "write acceptTruncation: true in spec.replay",
        None => "ask for a replay: write spec.replay with a new id and acceptTruncation: true",
    };
    listed(cut).map(|cut| {
        Trouble::rollout(
            Reason::RetentionCutsReplay,
            format!("{cut}: a new revision would lack those records, so {stays}; to do without them {mend}"),
        )
    })
}

/// What is wrong when the new result would lack what came before its start.
fn discarded(asked: &[Asked], keeps_state: bool, replay: &Replay) -> Option<Trouble> {
    let lost = asked.iter().filter_map(|Asked { start, from, offsets, begun }| {
        let Start { topic, partition, offset, .. } = start;
        // What retention has removed is the other refusal's.
        let past = |first: i64| from.offset > first.max(offsets.earliest);
        let begins = format!("topic {topic} partition {partition} would be read from offset {offset}");
        match begun {
            Some(begun) => past(begun.start).then(|| {
                format!("{begins}, the live revision began at {} and has read up to {}", begun.start, begun.next)
            }),
            None => (keeps_state && past(offsets.earliest)).then(|| {
                format!("{begins}, and older records from {} on decide what is in the result", offsets.earliest)
            }),
        }
    });
    listed(lost).map(|lost| {
        Trouble::rollout(
            Reason::ReplayDiscardsHistory,
            format!(
                "the replay '{}' would leave records out: {lost}; to do without them write discardHistory: true in \
                 spec.replay, or let it begin earlier",
                replay.id
            ),
        )
    })
}

/// The parts as one text; none when there are none.
fn listed(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    let more = parts.len().saturating_sub(NAMED);
    let mut text = parts.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} partitions more"));
    }
    (!parts.is_empty()).then_some(text)
}
