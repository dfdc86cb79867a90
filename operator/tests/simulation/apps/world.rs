//! The faulty world of an app: it loses calls and answers, hides what is there, and ends the operator in between.

use super::{INPUT, INTERNAL, OUTPUT, cluster::SimulatedCluster, group::SimulatedGroup, promises::Promises};
use crate::{
    addresses::kafka_address,
    faults::{Fate, Fault, Faults},
    kafka::SimulatedKafka,
    story::{Lines, Story},
};
use millrace_crds::{AppPhase, Reason, StreamAppStatus};
use millrace_operator::{
    app::{action::Action, desired::Desired, observed::Observed, workload::deployment},
    view::{known::Known, moment::Moment, observed::Kafka, trouble::Trouble},
    world::{Apps, Performed, Report, World},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub struct SimulatedWorld(Mutex<State>);

pub struct State {
    pub faults: Faults,
    pub now: Moment,
    pub kafka: SimulatedKafka,
    pub group: SimulatedGroup,
    pub cluster: SimulatedCluster,
    pub status: StreamAppStatus,
    pub promises: Promises,
    pub story: Story<AppPhase>,
    pub away: Away,
    /// The operator has ended in the middle of a round.
    pub crashed: bool,
    /// An operator that leads no more is doing something.
    pub stale: bool,
}

/// Who does not answer, for any time.
#[derive(Debug, Default)]
pub struct Away {
    pub kafka: bool,
    pub cluster: bool,
}

impl SimulatedWorld {
    pub fn new(seed: u64, lines: Option<Lines>) -> SimulatedWorld {
        SimulatedWorld(Mutex::new(State {
            faults: Faults::new(seed),
            now: Moment(1_700_000_000_000),
            kafka: SimulatedKafka::new(),
            group: SimulatedGroup::default(),
            cluster: SimulatedCluster::default(),
            status: StreamAppStatus::default(),
            promises: Promises::new(seed),
            story: Story::told_to(lines),
            away: Away::default(),
            crashed: false,
            stale: false,
        }))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World<Apps> for SimulatedWorld {
    async fn observe(&self, desired: &Desired) -> Observed {
        let mut state = self.state();
        let [kafka_hidden, topic_hidden, cluster_hidden, old_kafka] =
            [Fault::KafkaNotSeen, Fault::TopicNotSeen, Fault::ClusterNotSeen, Fault::KafkaIsOld]
                .map(|fault| state.strikes(fault));
        let State { kafka, group, cluster, away, now, .. } = &*state;
        let (kafka_hidden, cluster_hidden) = (kafka_hidden || away.kafka, cluster_hidden || away.cluster);
        let unreachable = || Trouble::sources(Reason::KafkaUnreachable, "no broker answers");
        let time = desired.replay.as_ref().and_then(|replay| replay.from.time(*now));
        let mut by_topic = BTreeMap::new();
        for (topic, hidden) in [(INPUT, topic_hidden), (OUTPUT, false)] {
            let seen = kafka.seen(old_kafka).observe(topic, false, hidden, time, *now);
            by_topic.extend(seen.present().into_iter().flat_map(|seen| seen.by_topic.clone()));
        }
        let known = |hidden: bool| if hidden { Err(unreachable()) } else { Ok(()) };
        let template = deployment(desired, 0, &kafka_address());
        Observed {
            kafka_address: Known::Present(kafka_address()),
            kafka: known(kafka_hidden).map_or_else(Known::Unknown, |()| {
                Known::Present(Kafka { cluster_id: kafka.cluster_id.clone(), by_topic })
            }),
            group: known(kafka_hidden).map_or_else(Known::Unknown, |()| Known::Present(group.observe(*now))),
            internal: match &desired.internal {
                None => Known::Absent,
                Some(_) if kafka_hidden => Known::Unknown(unreachable()),
                Some(internal) => {
                    let there = group.internal.iter().filter(|topic| internal.has(topic));
                    Known::Present(there.cloned().collect())
                }
            },
            children: cluster.observe(cluster_hidden, desired.deletion.is_none().then_some(template)),
        }
    }

    async fn perform(&self, desired: &Desired, action: &Action) -> Result<Performed, Trouble> {
        let mut state = self.state();
        let lost = || Err(Trouble::cluster(Reason::Unknown, "no answer"));
        let fate = if state.crashed { Fate::Struck(Fault::OperatorEnds) } else { state.faults.fate() };
        if let Fate::Struck(fault) = fate
            && !state.crashed
        {
            state.story.struck(fault);
        }
        match fate {
            Fate::Struck(Fault::LostCall) => return lost(),
            Fate::Struck(Fault::OperatorEnds) => {
                state.crashed = true;
                return lost();
            }
            Fate::Struck(Fault::CallTakesLong) => {
                let late = Duration::from_millis(state.faults.offset(60_000).unsigned_abs());
                state.now = state.now + late;
                state.settle();
                state.work();
                // Whoever joins meanwhile was not seen: only Kafka knows.
                if state.faults.chance(30) {
                    state.a_stranger_joins();
                }
            }
            Fate::Struck(_) | Fate::Done => {}
        }
        if state.is_away(action) {
            return lost();
        }
        let mut done = state.perform_and_check(desired, action);
        if fate == Fate::Struck(Fault::CallArrivesTwice) {
            done |= state.perform_and_check(desired, action);
        }
        if fate == Fate::Struck(Fault::LostAnswer) {
            return lost();
        }
        Ok(if done { Performed::Done } else { Performed::NotYet("another look".into()) })
    }

    async fn report(&self, _: &Desired, report: &Report<StreamAppStatus>) -> Result<(), Trouble> {
        let mut state = self.state();
        let arrives = !state.crashed
            && !state.away.cluster
            && !matches!(state.faults.fate(), Fate::Struck(Fault::LostCall | Fault::OperatorEnds));
        if arrives && let Some(status) = &report.status {
            if let Some(phase) = status.phase {
                let id = status.replays.last().map_or("", |replay| replay.id.as_str());
                state.story.show(id, phase);
            }
            state.status = status.clone();
        }
        Ok(())
    }
}

impl State {
    /// Whether this goes wrong now.
    fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.faults.strikes();
        if strikes {
            self.story.struck(fault);
        }
        strikes
    }

    /// Whether the one who would do it does not answer.
    fn is_away(&self, action: &Action) -> bool {
        match action {
            Action::ChangeTopic(_)
            | Action::DeleteInternalTopics { .. }
            | Action::AlterOffsets { .. }
            | Action::DeleteGroup => self.away.kafka,
            _ => self.away.cluster,
        }
    }

    fn perform_and_check(&mut self, desired: &Desired, action: &Action) -> bool {
        let done = self.perform(desired, action);
        self.story.tell(|| format!("    {action}: {}", if done { "done" } else { "refused" }));
        self.check(action, done);
        done
    }

    /// Whether it was done, and not refused.
    fn perform(&mut self, desired: &Desired, action: &Action) -> bool {
        match action {
            Action::ChangeTopic(change) => self.kafka.perform(change),
            Action::DeleteInternalTopics { topics, ledger: seen } => {
                if !self.cluster.ledger_is(seen.as_ref()) {
                    return false;
                }
                topics.iter().for_each(|topic| _ = self.group.internal.remove(topic));
                true
            }
            Action::AlterOffsets { id: _, begin, ledger: seen } => {
                self.cluster.ledger_is(seen.as_ref()) && self.group.alter(begin)
            }
            Action::DeleteGroup => {
                let empty = self.group.members.is_empty();
                if empty {
                    self.group.committed.clear();
                }
                empty
            }
            _ => self.cluster.perform(action, &desired.group),
        }
    }

    /// Pods start and end, and with them the group's members.
    pub fn settle(&mut self) {
        let ended = self.cluster.settle(&mut self.faults);
        for name in ended {
            self.pod_ended(&name, true);
        }
        self.group.expire(self.now);
    }

    /// A member that leaves is gone; one that is killed is waited for by Kafka.
    pub fn pod_ended(&mut self, name: &str, gently: bool) {
        let left_behind = !gently || (self.faults.rate > 0 && self.faults.chance(20));
        let until = self.now + Duration::from_secs(45);
        if !left_behind {
            self.group.members.retain(|member| member.pod.as_deref() != Some(name));
            return;
        }
        let mut found = false;
        for member in self.group.members.iter_mut().filter(|member| member.pod.as_deref() == Some(name)) {
            (member.pod, member.until) = (None, Some(until));
            found = true;
        }
        self.promises.left_behind += u64::from(found);
    }

    /// Instances join the group, make their internal topics, and read on.
    pub fn work(&mut self) {
        if self.away.kafka {
            return;
        }
        let running: Vec<String> =
            self.cluster.pods.iter().filter(|(_, pod)| !pod.ending).map(|(name, _)| name.clone()).collect();
        for name in running {
            let joined = self.group.members.iter().any(|member| member.pod.as_ref() == Some(&name));
            if !joined && self.faults.chance(60) {
                self.promises.joins(&self.cluster);
                self.group.members.push(super::group::SimulatedMember {
                    client_id: name.clone(),
                    pod: Some(name),
                    until: None,
                });
                self.group.internal.insert(INTERNAL.into());
            }
        }
        // Also one that is ending reads until it has ended.
        if self.group.members.iter().any(|member| member.pod.is_some()) {
            for (partition, earliest, end) in SimulatedGroup::offsets_at_the_end(&self.kafka, INPUT) {
                let at = self.group.committed.get(INPUT).and_then(|found| found.get(&partition)).copied();
                let at = at.unwrap_or(earliest).clamp(earliest, end.max(earliest));
                if self.faults.chance(80) {
                    let left = end - at;
                    let read = if self.faults.chance(70) { left } else { self.faults.offset(left) };
                    self.group.commit(INPUT, partition, at + read);
                }
            }
        }
    }
}
