//! A replay, step by step: instances stopped, the group empty, its offsets written down, internal topics deleted, offsets
//! altered, that proved, instances started, caught up. Where it stands is derived from what is written down and seen.

use super::{
    action::{Action, Note},
    ledger,
    observed::{Group, Template},
    plan::{Plan, Sight},
    replay::Replay,
    reset::{begin_of, ends_of, moves},
};
use crate::view::{moment::Moment, start::NotYet, status::timestamp, trouble::Trouble};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use millrace_crds::{AppPhase, AppReplayStatus, OffsetsByTopic, Reason};
use std::time::Duration;

/// A commit within this time after the offsets were altered is somebody else's: the app has no instance then. A second
/// more, for times are written down without their fractions.
const WATCHED_FOR: Duration = Duration::from_secs(11);
const SOON: Duration = Duration::from_secs(1);
/// As many names as a sentence lists.
const NAMED: usize = 8;

/// Whether the app may have instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// None: its group is moved.
    Still,
    /// As many as it should have.
    Runs,
    /// As many as it has: nothing is stopped or started on what is not known.
    AsIs,
}

/// Plans the next step of the replay that goes on, or that is asked for.
pub fn plan(plan: &mut Plan, sight: Sight<'_>) -> Standing {
    let known = |id: &str| sight.replays.iter().any(|replay| replay.id == id);
    let asked = sight.desired.replay.as_ref().filter(|replay| !known(&replay.id) && sight.desired.allowed.is_ok());
    let open = sight.replays.last().is_some_and(|replay| replay.reset_at.is_none());
    match asked.and_then(|asked| accept(plan, sight, asked)) {
        // One that is not proved yet is not started because another one waits.
        Some(Standing::AsIs) if open => return Standing::Still,
        Some(standing) => return standing,
        None => {}
    }
    match sight.replays.last() {
        Some(replay) if replay.reset_at.is_none() => reset(plan, sight, replay),
        Some(replay) if replay.caught_up_at.is_none() => follow(plan, sight, replay),
        Some(_) | None => {
            plan.phase = Some(AppPhase::Steady);
            Standing::Runs
        }
    }
}

/// Stops the app and writes down where its group is and where it is to be. None: the replay is refused, and whatever was
/// before goes on.
fn accept(plan: &mut Plan, sight: Sight<'_>, asked: &Replay) -> Option<Standing> {
    let (Some(kafka), Some(group)) = (sight.kafka(), sight.group()) else {
        plan.phase = Some(AppPhase::Stopping);
        plan.wait("Kafka", Duration::from_secs(5));
        return Some(Standing::AsIs);
    };
    if sight.children.template.as_ref().is_none_or(|template| matches!(template, Template::Refused(_))) {
        // Who is stopped for a replay could not be started again.
        plan.phase = Some(AppPhase::Stopping);
        plan.wait("a podTemplate that the API server takes", Duration::from_secs(5));
        return Some(Standing::AsIs);
    }
    let moves = match moves(sight.desired, asked, kafka, group, sight.replays) {
        Ok(moves) => moves,
        Err(NotYet::Waiting(what)) => {
            plan.phase = Some(AppPhase::Stopping);
            plan.wait(what, SOON);
            return Some(Standing::AsIs);
        }
        Err(NotYet::Held(trouble)) => {
            plan.troubles.push(trouble);
            return None;
        }
    };
    if !is_quiet(plan, sight, group) {
        return Some(Standing::Still);
    }
    plan.phase = Some(AppPhase::Resetting);
    let mut replays = sight.replays.to_vec();
    replays.push(AppReplayStatus {
        id: asked.id.clone(),
        accepted_at: timestamp(sight.now),
        begun_at: None,
        taken: false,
        altered_at: None,
        reset_at: None,
        caught_up_at: None,
        foreign_commit: None,
        saved: group.committed.clone(),
        begin: begin_of(&moves),
        until: ends_of(&moves),
    });
    let replays = ledger::to_ledger(replays);
    plan.actions.push(Action::WriteLedger { replays, note: Note::Accepted, seen: sight.ledger() });
    Some(Standing::Still)
}

/// Whether no instance runs and nobody is in the group; otherwise what is waited for.
fn is_quiet(plan: &mut Plan, sight: Sight<'_>, group: &Group) -> bool {
    let children = sight.children;
    let stopped = children.deployment.as_ref().is_none_or(|deployment| deployment.is_stopped());
    if !stopped || !children.pods.is_empty() {
        plan.phase = Some(AppPhase::Stopping);
        let pods: Vec<&str> = children.pods.keys().map(String::as_str).collect();
        plan.wait(if pods.is_empty() { "instances to end".into() } else { format!("{} to end", listed(&pods)) }, SOON);
        return false;
    }
    plan.phase = Some(AppPhase::Draining);
    let app = &sight.desired.identity.name;
    let (own, foreign): (Vec<_>, Vec<_>) = group.members.iter().partition(|member| member.is_of(app, &children.pods));
    let described = |members: Vec<&super::observed::Member>| {
        let names: Vec<String> = members.iter().map(|member| member.described()).collect();
        listed(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    if !foreign.is_empty() {
        let names = described(foreign);
        plan.troubles.push(Trouble::group(
            Reason::ForeignMember,
            format!(
                "the group {} has members that are not of this app: {names}; stop them, and the replay goes on",
                sight.desired.group
            ),
        ));
        plan.wait(format!("{names} to leave the group"), SOON);
        return false;
    }
    if !own.is_empty() {
        plan.wait(format!("the group to forget {}, which ended without leaving", described(own)), SOON);
        return false;
    }
    if let Some(partition) = &group.unstable {
        plan.wait(format!("the end of a transaction that commits offsets of {partition}"), SOON);
        return false;
    }
    true
}

/// From what is written down to what is proved.
fn reset(plan: &mut Plan, sight: Sight<'_>, replay: &AppReplayStatus) -> Standing {
    let foreign = replay.foreign_commit.as_ref();
    plan.troubles.extend(foreign.map(|sentence| Trouble::group(Reason::ForeignCommitter, sentence.clone())));
    let Some(group) = sight.group() else {
        plan.phase = Some(AppPhase::Resetting);
        plan.wait("Kafka", Duration::from_secs(5));
        return Standing::Still;
    };
    if !is_quiet(plan, sight, group) {
        return Standing::Still;
    }
    plan.phase = Some(AppPhase::Resetting);
    if !ledger::is_in_status(sight.desired, replay) {
        plan.wait("the status to hold the offsets, too", Duration::from_millis(200));
        return Standing::Still;
    }
    match (&replay.begun_at, replay.taken) {
        (None, _) => plan.actions.extend(begin(sight, group)),
        (Some(_), false) => alter(plan, sight, replay),
        (Some(_), true) => prove(plan, sight, replay, group),
    }
    Standing::Still
}

/// What is written down is what the group has, or is written down once more: somebody may have committed since.
fn begin(sight: Sight<'_>, group: &Group) -> Option<Action> {
    let written = sight.replays.last().is_some_and(|replay| replay.saved == group.committed);
    if written {
        return sight.note(Note::Begun, |replay| replay.begun_at = Some(timestamp(sight.now)));
    }
    sight.note(Note::Accepted, |replay| replay.saved = group.committed.clone())
}

fn alter(plan: &mut Plan, sight: Sight<'_>, replay: &AppReplayStatus) {
    if sight.observed.internal.trouble().is_some() {
        plan.wait("a look at the internal topics", Duration::from_secs(5));
        return;
    }
    let internal: Vec<String> = sight.observed.internal.present().into_iter().flatten().cloned().collect();
    if !internal.is_empty() {
        plan.actions.push(Action::DeleteInternalTopics { topics: internal, ledger: sight.ledger() });
        plan.wait("the internal topics to be gone", SOON);
        return;
    }
    plan.actions.push(Action::AlterOffsets {
        id: replay.id.clone(),
        begin: replay.begin.clone(),
        ledger: sight.ledger(),
    });
    plan.actions.extend(sight.note(Note::Taken, |replay| replay.taken = true));
}

fn prove(plan: &mut Plan, sight: Sight<'_>, replay: &AppReplayStatus, group: &Group) {
    if let Some((topic, partition, offset)) = group.first_not_at(&replay.begin) {
        let found = group.committed(topic, partition).map_or("nothing".into(), |found| found.to_string());
        let sentence = format!(
            "after the group {} was moved to offset {offset} of topic {topic} partition {partition}, somebody who is no member \
             of it committed {found}; find who commits without being a member and stop it, the replay is tried again until \
             ten seconds pass without",
            sight.desired.group
        );
        plan.actions.extend(sight.note(Note::ForeignCommit, |replay| {
            (replay.taken, replay.altered_at) = (false, None);
            replay.foreign_commit = Some(sentence.chars().take(1000).collect());
        }));
        return;
    }
    let Some(at) = &replay.altered_at else {
        // By this look's time: how long Kafka took to take them is not known.
        plan.actions.extend(sight.note(Note::Altered, |replay| replay.altered_at = Some(timestamp(sight.now))));
        return;
    };
    let watched = sight.now.since(moment(at));
    if watched < WATCHED_FOR {
        plan.wait("ten seconds without a commit of somebody else", (WATCHED_FOR - watched).min(SOON));
        return;
    }
    plan.actions.extend(sight.note(Note::Reset, |replay| {
        replay.reset_at = Some(timestamp(sight.now));
        replay.foreign_commit = None;
    }));
}

/// From what is proved to what has caught up.
fn follow(plan: &mut Plan, sight: Sight<'_>, replay: &AppReplayStatus) -> Standing {
    plan.phase = Some(AppPhase::Starting);
    if !ledger::is_in_status(sight.desired, replay) {
        plan.wait("the status to hold the proof, too", Duration::from_millis(200));
        return Standing::AsIs;
    }
    if sight.desired.suspended {
        plan.wait("spec.suspend to be false", Duration::from_secs(30));
        return Standing::Runs;
    }
    let Some(group) = sight.group() else { return Standing::Runs };
    let app = &sight.desired.identity.name;
    if !group.members.iter().any(|member| member.is_of(app, &sight.children.pods)) {
        plan.wait("an instance to join the group", SOON);
        return Standing::Runs;
    }
    plan.phase = Some(AppPhase::CatchingUp);
    match left_of(&replay.until, sight, group) {
        Some(0) => {
            plan.actions.extend(sight.note(Note::CaughtUp, |replay| replay.caught_up_at = Some(timestamp(sight.now))));
        }
        Some(left) => plan.wait(format!("{left} records to be read again"), SOON),
        None => plan.wait("Kafka", Duration::from_secs(5)),
    }
    Standing::Runs
}

/// How many records up to there are left to read; none: it is not known.
fn left_of(until: &OffsetsByTopic, sight: Sight<'_>, group: &Group) -> Option<i64> {
    let kafka = sight.kafka()?;
    let mut left = 0;
    for (topic, partitions) in until.iter().filter(|(topic, _)| sight.desired.reads(topic)) {
        let there = &kafka.topic(topic)?.partitions;
        for (partition, until) in partitions {
            // A partition that was deleted with its topic is not read again.
            let Some(offsets) = there.get(partition) else { continue };
            let until = *until.min(&offsets.end);
            let committed = group.committed(topic, *partition).unwrap_or(offsets.earliest).max(offsets.earliest);
            // The last offset may be that of a transaction's end, which a program does not see and does not commit.
            left += if committed + 1 >= until { 0 } else { until - committed };
        }
    }
    Some(left)
}

fn moment(time: &Time) -> Moment {
    Moment(time.0.as_millisecond())
}

fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}
