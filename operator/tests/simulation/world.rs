//! The faulty world: it loses calls and answers, hides and delays what is there, and ends the operator in between.

use crate::{
    addresses::kafka_address,
    cluster::SimulatedCluster,
    comparisons,
    faults::{Fate, Fault, Faults},
    kafka::SimulatedKafka,
    postgres::{Answer, Reader, SimulatedPostgres},
    promises::Promises,
    specs::TOPIC,
    story::{Lines, Story},
};
use millrace_crds::{MaterializedViewStatus, Reason, RolloutPhase};
use millrace_operator::{
    view::{
        action::Action,
        desired::Desired,
        known::Known,
        moment::Moment,
        name::Revision,
        observed::{Observed, Offsets},
        replay::asked_time,
        trouble::Trouble,
    },
    world::{Performed, Report, World},
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub struct SimulatedWorld(Mutex<State>);

pub struct State {
    pub faults: Faults,
    pub now: Moment,
    pub kafka: SimulatedKafka,
    pub postgres: SimulatedPostgres,
    pub cluster: SimulatedCluster,
    pub status: MaterializedViewStatus,
    pub promises: Promises,
    pub story: Story<RolloutPhase>,
    /// The resource that there is.
    pub uid: String,
    pub away: Away,
    /// The operator has ended in the middle of a round.
    pub crashed: bool,
    pub zombies: Vec<Zombie>,
    /// Some records cannot be applied, and too many of them stop a worker.
    pub bad_records: bool,
}

/// Who does not answer, for any time.
#[derive(Debug, Default)]
pub struct Away {
    pub kafka: bool,
    pub postgres: bool,
    pub cluster: bool,
}

/// A worker that was stopped before its commit.
#[derive(Debug)]
pub struct Zombie {
    pub revision: Revision,
    pub topic: String,
    pub partition: i32,
    pub from: i64,
    pub to: i64,
    /// The resource, and how often its view's owners were raised, when it was stopped.
    pub fence: Option<(String, u64)>,
}

impl SimulatedWorld {
    pub fn new(seed: u64, uid: &str, lines: Option<Lines>) -> SimulatedWorld {
        SimulatedWorld(Mutex::new(State {
            faults: Faults::new(seed),
            now: Moment(1_700_000_000_000),
            kafka: SimulatedKafka::new(),
            postgres: SimulatedPostgres::default(),
            cluster: SimulatedCluster::default(),
            status: MaterializedViewStatus::default(),
            promises: Promises::new(seed),
            story: Story::told_to(lines),
            uid: uid.to_owned(),
            away: Away::default(),
            crashed: false,
            zombies: Vec::new(),
            bad_records: true,
        }))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World for SimulatedWorld {
    async fn observe(&self, desired: &Desired) -> Observed {
        let mut state = self.state();
        let [kafka_hidden, topic_hidden, postgres_hidden, cluster_hidden, old_kafka, old_cluster] = [
            Fault::KafkaNotSeen,
            Fault::TopicNotSeen,
            Fault::PostgresNotSeen,
            Fault::ClusterNotSeen,
            Fault::KafkaIsOld,
            Fault::ClusterIsOld,
        ]
        .map(|fault| state.strikes(fault));
        let State { kafka, postgres, cluster, away, now, .. } = &*state;
        let seen = kafka.seen(old_kafka);
        Observed {
            kafka_address: Known::Present(kafka_address()),
            kafka: seen.observe(TOPIC, kafka_hidden || away.kafka, topic_hidden, asked_time(desired, *now), *now),
            catalog: postgres.observe(desired, postgres_hidden || away.postgres),
            children: cluster.observe(cluster_hidden || away.cluster, old_cluster),
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
                state.work(desired);
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

    async fn report(&self, _: &Desired, report: &Report) -> Result<(), Trouble> {
        let mut state = self.state();
        let arrives = !state.crashed
            && !state.away.cluster
            && !matches!(state.faults.fate(), Fate::Struck(Fault::LostCall | Fault::OperatorEnds));
        if arrives && let Some(status) = &report.status {
            if let Some(rollout) = &status.rollout {
                state.story.show(&rollout.revision, rollout.phase);
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
            Action::ChangeTopic(_) => self.away.kafka,
            Action::ApplyDeployment { .. }
            | Action::DeleteDeployment { .. }
            | Action::AddFinalizer
            | Action::RemoveFinalizer { .. } => self.away.cluster,
            Action::ApplyLogin(_) => self.away.cluster || self.away.postgres,
            _ => self.away.postgres,
        }
    }

    fn perform_and_check(&mut self, desired: &Desired, action: &Action) -> bool {
        let done = self.perform(desired, action);
        self.story.tell(|| format!("    {action}: {}", if done { "done" } else { "refused" }));
        let State { promises, postgres, kafka, now, .. } = self;
        promises.check(desired, action, done, postgres, kafka);
        promises.check_gates(desired, action, done, postgres, *now);
        done
    }

    /// Whether it was done, and not refused.
    fn perform(&mut self, desired: &Desired, action: &Action) -> bool {
        match action {
            Action::ChangeTopic(change) => self.kafka.perform(change),
            Action::ApplyDeployment { .. }
            | Action::DeleteDeployment { .. }
            | Action::AddFinalizer
            | Action::RemoveFinalizer { .. } => {
                // What belongs to a resource that is gone goes with it.
                desired.identity.uid == self.uid && self.cluster.perform(action)
            }
            Action::ApplyLogin(login) => {
                if desired.identity.uid != self.uid {
                    return false;
                }
                let digest = self.cluster.apply_login(login);
                self.postgres.set_password(digest);
                true
            }
            _ => matches!(self.postgres.perform(desired, action, self.now), Answer::Done),
        }
    }

    /// Workers that run move the positions of open revisions, each partition by itself.
    pub fn work(&mut self, desired: &Desired) {
        let Some(view) = self.postgres.view.as_mut().filter(|_| !self.away.postgres) else { return };
        comparisons::settle(view, &mut self.faults);
        for (revision, row) in &mut view.revisions {
            let deployment = desired.identity.name.deployment(revision);
            if !row.state.is_worked_on() || !self.cluster.works(&deployment) {
                continue;
            }
            let most = row.pace.map(|pace| pace / row.tasks().max(1) as i64);
            for task in &mut row.progress {
                let Some(topic) = self.kafka.topics.get(&task.topic).filter(|topic| topic.id == task.topic_id) else {
                    continue;
                };
                let Some(Offsets { earliest, end }) = topic.partitions.get(&task.partition).copied() else { continue };
                task.lease_until = Some(self.now);
                task.problem = match task.problem.take() {
                    _ if task.next_offset < earliest => Some("DataLost: retention removed what was not read".into()),
                    None if self.bad_records && self.faults.strikes() && self.faults.chance(5) => {
                        Some("ErrorsStopped: 20 of 100 records failed".into())
                    }
                    // A person mends the records, or what reads them.
                    Some(problem) if self.faults.rate > 0 && self.faults.chance(80) => Some(problem),
                    Some(_) | None => None,
                };
                if task.problem.is_none() && self.faults.chance(80) {
                    // Mostly everything, sometimes a part: revisions move at different speeds, and none past its hold.
                    let hold = task.hold.filter(|hold| hold.until > self.now).map(|hold| hold.offset);
                    let left = (hold.map_or(end, |hold| end.min(hold)) - task.next_offset).max(0);
                    let read = if self.faults.chance(70) { left } else { self.faults.offset(left) };
                    let read = most.map_or(read, |most| read.min(most));
                    if read > 0 {
                        task.next_offset += read;
                        // As Kafka has it: a record is as many seconds old as it is from the end.
                        task.event_time = task.event_time.max(Some(Moment(self.now.0 - (left - read) * 1000)));
                    }
                }
            }
        }
        self.promises.see(&self.postgres);
    }

    /// Retention removes a part of one partition: what every revision has read, or more than that.
    pub fn retain(&mut self) {
        let Some(view) = &self.postgres.view else { return };
        let partition = self.faults.below(2) as i32;
        let tasks: Vec<_> = view.revisions.values().filter_map(|row| row.task(TOPIC, partition)).collect();
        let passes = self.faults.chance(50);
        let most = tasks.iter().map(|task| task.next_offset).max().map(|read| read + 1 + self.faults.offset(10));
        let least = tasks.iter().map(|task| task.next_offset).min();
        if let Some(earliest) = if passes { most } else { least } {
            self.kafka.retain(TOPIC, partition, earliest);
        }
    }

    pub fn open_reader(&mut self) {
        let live = self.postgres.view.as_ref().and_then(|view| view.live.clone());
        let reader = Reader { snapshot: self.postgres.transactions, live, holds: self.faults.chance(30) };
        self.postgres.readers.push(reader);
    }
}
