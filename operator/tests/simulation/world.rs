//! The faulty world: it loses calls and answers, hides and delays what is there, and ends the operator in between.

use crate::{
    cluster::SimulatedCluster,
    faults::{Fate, Faults},
    kafka::SimulatedKafka,
    postgres::{Answer, Reader, SimulatedPostgres},
    promises::Promises,
    specs::TOPIC,
};
use millrace_contract::revision::RevisionState;
use millrace_crds::{MaterializedViewStatus, Reason};
use millrace_operator::{
    view::{
        action::Action,
        desired::Desired,
        known::Known,
        moment::Moment,
        observed::{Observed, Offsets},
        replay::asked_time,
        trouble::Trouble,
    },
    world::{Performed, Report, World},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub struct SimulatedWorld(Mutex<State>);

pub struct State {
    pub faults: Faults,
    pub now: Moment,
    pub kafka: SimulatedKafka,
    pub postgres: SimulatedPostgres,
    pub cluster: SimulatedCluster,
    pub status: MaterializedViewStatus,
    pub promises: Promises,
    pub postgres_is_gone: bool,
    /// The operator has ended in the middle of a round.
    pub crashed: bool,
}

impl SimulatedWorld {
    pub fn new(seed: u64) -> SimulatedWorld {
        SimulatedWorld(Mutex::new(State {
            faults: Faults::new(seed),
            now: Moment(1_700_000_000_000),
            kafka: SimulatedKafka::new(),
            postgres: SimulatedPostgres::default(),
            cluster: SimulatedCluster::default(),
            status: MaterializedViewStatus::default(),
            promises: Promises::new(seed),
            postgres_is_gone: false,
            crashed: false,
        }))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World for SimulatedWorld {
    async fn observe(&self, desired: &Desired) -> Observed {
        let mut state = self.state();
        let State { faults, kafka, postgres, cluster, postgres_is_gone, now, .. } = &mut *state;
        Observed {
            kafka_address: Known::Present(SimulatedKafka::address()),
            kafka: kafka.observe(TOPIC, faults.strikes(), faults.strikes(), asked_time(desired, *now), *now),
            catalog: postgres.observe(desired, faults.strikes() || *postgres_is_gone),
            children: cluster.observe(faults.strikes(), faults.strikes()),
        }
    }

    async fn perform(&self, desired: &Desired, action: &Action) -> Result<Performed, Trouble> {
        let mut state = self.state();
        let lost = || Err(Trouble::cluster(Reason::Unknown, "no answer"));
        let fate = if state.crashed { Fate::Crash } else { state.faults.fate() };
        match fate {
            Fate::LostCall => return lost(),
            Fate::Crash => {
                state.crashed = true;
                return lost();
            }
            Fate::Done | Fate::LostAnswer => {}
        }
        if state.postgres_is_gone && is_in_postgres(action) {
            return lost();
        }
        let done = state.perform(desired, action);
        let State { promises, postgres, kafka, .. } = &mut *state;
        promises.check(desired, action, done, postgres, kafka);
        if fate == Fate::LostAnswer {
            return lost();
        }
        Ok(if done { Performed::Done } else { Performed::NotYet("another look".into()) })
    }

    async fn report(&self, _: &Desired, report: &Report) -> Result<(), Trouble> {
        let mut state = self.state();
        let fate = if state.crashed { Fate::Crash } else { state.faults.fate() };
        if matches!(fate, Fate::Done | Fate::LostAnswer)
            && let Some(status) = &report.status
        {
            state.status = status.clone();
        }
        Ok(())
    }
}

/// Whether the action needs Postgres.
fn is_in_postgres(action: &Action) -> bool {
    !matches!(
        action,
        Action::CreateTopic { .. }
            | Action::GrowTopic { .. }
            | Action::ConfigureTopic { .. }
            | Action::ApplyDeployment { .. }
            | Action::DeleteDeployment { .. }
            | Action::AddFinalizer
            | Action::RemoveFinalizer { .. }
    )
}

impl State {
    /// Whether it was done, and not refused.
    fn perform(&mut self, desired: &Desired, action: &Action) -> bool {
        match action {
            Action::CreateTopic { .. } | Action::GrowTopic { .. } | Action::ConfigureTopic { .. } => {
                self.kafka.perform(action)
            }
            Action::ApplyDeployment { .. }
            | Action::DeleteDeployment { .. }
            | Action::AddFinalizer
            | Action::RemoveFinalizer { .. } => self.cluster.perform(action),
            Action::ApplyLogin(login) => {
                let digest = self.cluster.apply_login(login);
                self.postgres.set_password(digest);
                true
            }
            _ => matches!(self.postgres.perform(desired, action, self.now), Answer::Done),
        }
    }

    /// Workers that run move the positions of open revisions, each partition by itself.
    pub fn work(&mut self, desired: &Desired) {
        let Some(view) = self.postgres.view.as_mut().filter(|_| !self.postgres_is_gone) else { return };
        for (revision, row) in &mut view.revisions {
            let deployment = desired.identity.name.deployment(revision);
            if row.state != RevisionState::Open || !self.cluster.works(&deployment) {
                continue;
            }
            for task in &mut row.progress {
                let Some(topic) = self.kafka.topics.get(&task.topic).filter(|topic| topic.id == task.topic_id) else {
                    continue;
                };
                let Some(Offsets { earliest, end }) = topic.partitions.get(&task.partition).copied() else { continue };
                task.lease_until = Some(self.now);
                task.problem = match task.problem.take() {
                    _ if task.next_offset < earliest => Some("DataLost: retention removed what was not read".into()),
                    None if self.faults.strikes() && self.faults.chance(5) => {
                        Some("ErrorsStopped: 20 of 100 records failed".into())
                    }
                    // A person mends the records, or what reads them.
                    Some(problem) if self.faults.rate > 0 && self.faults.chance(80) => Some(problem),
                    Some(_) | None => None,
                };
                if task.problem.is_none() && self.faults.chance(80) {
                    // Mostly everything, sometimes a part: revisions move at different speeds.
                    let left = (end - task.next_offset).max(0);
                    task.next_offset += if self.faults.chance(70) { left } else { self.faults.offset(left) };
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
