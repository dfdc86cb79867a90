//! Where a new revision starts to read: resolved once, when it is made, and refused where readers would lose what they
//! have without anybody having said so.

use super::{
    action::Start,
    desired::{Query, TopicWish},
    known::Known,
    moment::Moment,
    observed::{Kafka, Offsets, Progress, RevisionRow, Topic},
    plan::Sight,
    replay::{Replay, ReplayFrom},
    speed::{Speed, measured},
    topics::check_identity,
    trouble::Trouble,
};
use millrace_contract::{faults::sabotaged, plan::Output, source::SourceKind};
use millrace_crds::Reason;
use std::{collections::BTreeMap, time::Duration};

/// Why there is no new revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotYet {
    Waiting(String),
    Held(Trouble),
}

/// As many partitions as a sentence names.
const NAMED: usize = 8;
/// Kafka removes whole segments, and looks for them every five minutes: over less time than this one step says nothing of
/// how fast the oldest records go.
const WATCHED_FOR: Duration = Duration::from_secs(600);

/// What a new revision reads, and what speaks against it.
#[derive(Debug)]
pub struct Beginning {
    /// By topic and partition.
    pub ranges: Vec<Range>,
    pub refusal: Option<Trouble>,
}

/// What a new revision reads of one partition.
#[derive(Debug)]
pub struct Range {
    pub start: Start,
    /// Where the partition ends now.
    pub end: i64,
    /// Retention has removed a part of it, or will have before it is read.
    pub cut_off: bool,
}

/// Where a new revision starts in every partition: where `replay` says, or else where the one before it has started.
pub fn starts(sight: Sight<'_>, query: &Query, replay: Option<&Replay>) -> Result<Vec<Start>, NotYet> {
    let Beginning { ranges, refusal } = beginning(sight, query, replay)?;
    match refusal {
        Some(refusal) => Err(NotYet::Held(refusal)),
        None => Ok(ranges.into_iter().map(|range| range.start).collect()),
    }
}

/// The same, said also where it is refused.
pub fn beginning(sight: Sight<'_>, query: &Query, replay: Option<&Replay>) -> Result<Beginning, NotYet> {
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
                    .map_or(From::oldest(*offsets), |begun| From::exactly(begun.start_offset)),
            };
            let start = Start {
                topic: wish.topic.clone(),
                partition,
                topic_id: topic.id.clone(),
                kafka_cluster_id: kafka.cluster_id.clone(),
                offset: from.offset.max(offsets.earliest),
            };
            if !asked.iter().any(|other: &Asked<'_>| other.start == start) {
                asked.push(Asked { start, from, offsets: *offsets, begun });
            }
        }
    }
    if let Some(ReplayFrom::Offsets(by_topic)) = replay.map(|replay| &replay.from) {
        every_partition_is_there(by_topic, kafka)?;
    }
    let most = sight.desired.rollout.max_records_per_second;
    let share = measured(sight.view).map(|speed| speed.within(most).shared_by(asked.len()));
    let cuts: Vec<Option<String>> = asked.iter().map(|asked| cut(asked, share, sight.now)).collect();
    let accepted = replay.is_some_and(|replay| replay.accept_truncation) || sabotaged("truncation_accepted");
    let named = if accepted { None } else { listed(cuts.iter().flatten().cloned()) };
    let truncated = named.map(|cuts| truncated(&cuts, live.is_some(), replay));
    let lost = replay.filter(|replay| !replay.discard_history && !sabotaged("history_discarded"));
    let lost = lost.and_then(|replay| discarded(&asked, keeps_state(query), replay));
    let ranges = asked.into_iter().zip(cuts);
    let mut ranges: Vec<Range> = ranges
        .map(|(asked, cut)| Range { end: asked.offsets.end, cut_off: cut.is_some(), start: asked.start })
        .collect();
    ranges.sort_by(|a, b| (&a.start.topic, a.start.partition).cmp(&(&b.start.topic, b.start.partition)));
    Ok(Beginning { ranges, refusal: truncated.or(lost) })
}

/// One partition of a new revision.
struct Asked<'a> {
    start: Start,
    from: From,
    offsets: Offsets,
    /// Where the live revision has started, and up to where it has read.
    begun: Option<&'a Progress>,
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

fn begun<'a>(row: &'a RevisionRow, topic: &str, partition: i32, id: &str) -> Option<&'a Progress> {
    row.task(topic, partition).filter(|task| task.topic_id == id)
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
    match query.plan.output {
        Output::Append { .. } => query.plan.sources.iter().any(|source| source.kind == SourceKind::Table),
        Output::Upsert { .. } | Output::Keyed { .. } | Output::Aggregate { .. } => true,
    }
}

/// That retention has removed a part of what `live` was built from.
pub fn cut_off(live: &RevisionRow, kafka: &Kafka) -> Option<String> {
    listed(live.progress.iter().filter_map(|task| {
        let offsets = kafka.topic(&task.topic)?.partitions.get(&task.partition)?;
        begins_later(task, *offsets)
    }))
}

fn begins_later(begun: &Progress, offsets: Offsets) -> Option<String> {
    (begun.start_offset < offsets.earliest && begun.next_offset > begun.start_offset).then(|| {
        format!(
            "topic {} partition {} begins at offset {} now, the live revision was built from offset {}",
            begun.topic, begun.partition, offsets.earliest, begun.start_offset
        )
    })
}

/// What retention has removed of what is asked for, or of what the live revision was built from; or will have removed
/// before it is read, when the partition is read at the speed of `share`.
fn cut(asked: &Asked<'_>, share: Option<Speed>, now: Moment) -> Option<String> {
    let Asked { start, from, offsets, begun } = asked;
    let gone = begun.filter(|_| from.offset <= offsets.earliest).and_then(|begun| begins_later(begun, *offsets));
    if gone.is_some() {
        return gone;
    }
    let place =
        format!("topic {} partition {} begins at offset {} now", start.topic, start.partition, offsets.earliest);
    if from.cut && from.offset < offsets.earliest {
        return Some(format!("{place}, asked for is {}", from.offset));
    }
    if from.cut {
        return Some(format!("{place}, and older records may be of the time asked for"));
    }
    let (share, removal) = (share?, begun.and_then(|begun| removal(begun, *offsets, now))?);
    let first = removal.seconds_for(offsets.end - offsets.earliest) < share.seconds_for(offsets.end - start.offset);
    first.then(|| format!("{place}, loses {removal} and would be read from offset {} on at {share}", start.offset))
}

/// How fast retention removes records, since the live revision began.
fn removal(begun: &Progress, offsets: Offsets, now: Moment) -> Option<Speed> {
    let watched = now.since(begun.started_at?);
    Speed::of(offsets.earliest - begun.start_offset, watched).filter(|_| watched >= WATCHED_FOR)
}

fn truncated(cuts: &str, live: bool, replay: Option<&Replay>) -> Trouble {
    let stays = if live { "the live one stays" } else { "nothing is built" };
    let mend = match replay {
        Some(_) => "write acceptTruncation: true in spec.replay",
        None => "ask for a replay: write spec.replay with a new id and acceptTruncation: true",
    };
    Trouble::rollout(
        Reason::RetentionCutsReplay,
        format!("{cuts}: a new revision would lack those records, so {stays}; to do without them {mend}"),
    )
}

/// What is wrong when the new result would lack what came before its start.
fn discarded(asked: &[Asked<'_>], keeps_state: bool, replay: &Replay) -> Option<Trouble> {
    let lost = asked.iter().filter_map(|Asked { start, from, offsets, begun }| {
        let Start { topic, partition, offset, .. } = start;
        // What retention has removed is the other refusal's.
        let past = |first: i64| from.offset > first.max(offsets.earliest);
        let begins = format!("topic {topic} partition {partition} would be read from offset {offset}");
        match begun {
            Some(begun) => past(begun.start_offset).then(|| {
                format!(
                    "{begins}, the live revision began at {} and has read up to {}",
                    begun.start_offset, begun.next_offset
                )
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
