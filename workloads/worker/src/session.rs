//! A session with Postgres: which tasks are held, from the first claim over one connection to the first thing that
//! goes wrong with it. Nothing of it is carried into the next session.

mod hold;

use crate::{
    commit,
    ending::Ending,
    errors,
    prepared::{Prepared, Preparer},
    reader::{Assignment, Command, Event, Shared},
    run::Worker,
    share::{self, Decision},
    task::Task,
    telemetry::metrics::Metrics,
};
use millrace_connectors::postgres::{Advance, Claimed, Committed, ErrorsPolicy, Problem, Store, StoreError, Survey};
use millrace_contract::{
    Topics,
    faults::{sabotaged, step},
    ident::consumer_group,
    revision::RevisionState,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same, while some lease is about to end without having been renewed.
const LOOK_SOON: Duration = Duration::from_millis(200);
const RENEW_EVERY: Duration = Duration::from_secs(2);
const MIRROR_EVERY: Duration = Duration::from_secs(2);
/// Finding nothing to drop costs a look at every deleted key.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// A task that stands still for a reason that may go away is tried again this often.
const TRY_AGAIN_EVERY: Duration = Duration::from_secs(10);
/// Batches of old versions dropped in one go.
const PRUNED_BATCHES: u64 = 50;

pub struct Session<'w> {
    worker: &'w mut Worker,
    store: Store,
    held: BTreeMap<i32, Task>,
    survey: Option<Survey>,
    live: bool,
    /// The consumer group that positions are shown in.
    group: Option<String>,
    /// What was last said about why nothing is done.
    idle: Option<String>,
    looked: Option<Instant>,
    beat: Option<Instant>,
    mirrored: Instant,
    pruned: Instant,
}

impl<'w> Session<'w> {
    pub fn new(worker: &'w mut Worker, store: Store) -> Session<'w> {
        worker.tell(Command::StopAll);
        let now = Instant::now();
        Session {
            worker,
            store,
            held: BTreeMap::new(),
            survey: None,
            live: false,
            group: None,
            idle: None,
            looked: None,
            beat: None,
            mirrored: now,
            pruned: now,
        }
    }

    /// Tells the watchdog that something goes on.
    pub fn turn(&self) {
        self.worker.health.turn();
    }

    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    pub fn metrics(&self) -> Arc<Metrics> {
        self.worker.metrics.clone()
    }

    pub fn preparer(&self) -> Arc<Preparer> {
        self.worker.preparer.clone()
    }

    pub fn shared(&self) -> &Shared {
        &self.worker.shared
    }

    pub fn topics(&self) -> &Topics {
        self.store.topics()
    }

    pub fn policy(&self) -> ErrorsPolicy {
        self.survey.as_ref().map_or(ErrorsPolicy::DeadLetter, |survey| survey.policy)
    }

    /// Whether an epoch of this partition begins where its task, under this claim, stands.
    pub fn expects(&self, partition: i32, owner: i64, from: i64) -> bool {
        self.held
            .get(&partition)
            .is_some_and(|task| task.owner == owner && task.problem.is_none() && task.next_offset == from)
    }

    /// Whether some held task still reads state without locks.
    pub fn unshared(&self) -> bool {
        self.held.values().any(|task| !task.shared)
    }

    pub async fn mark_shared(&mut self) -> Result<(), StoreError> {
        self.store.mark_shared().await?;
        self.held.values_mut().for_each(|task| task.shared = true);
        Ok(())
    }

    /// Takes note of a commit.
    pub fn advanced(&mut self, advances: &[Advance], committed: Committed) {
        self.live = committed.live;
        for advance in advances {
            let label = self.store.topics().label(advance.partition);
            self.worker.metrics.position.with_label_values(&[&label]).set(advance.to);
            if let Some(task) = self.held.get_mut(&advance.partition) {
                task.next_offset = advance.to;
                task.shared |= committed.shared;
                task.renewed = Instant::now();
            }
        }
        self.rest();
    }

    /// Lets a task stand still, and says why.
    pub async fn stand_still(&mut self, partition: i32, problem: Problem) -> Result<(), StoreError> {
        let text = problem.to_string();
        let Some(task) = self.held.get_mut(&partition) else { return Ok(()) };
        task.asked = Some(Instant::now());
        if task.problem.as_deref() == Some(text.as_str()) {
            return Ok(());
        }
        tracing::error!(partition, problem = text, "a task stands still");
        task.problem = Some(text.clone());
        let owner = task.owner;
        self.worker.tell(Command::Stop(vec![partition]));
        self.store.set_problem((partition, owner), Some(&text)).await
    }

    pub async fn commit(&mut self, prepared: Prepared, ending: &Ending) -> Result<(), StoreError> {
        if sabotaged("trust_memory_after_reconnect") {
            self.worker.remembered.extend(prepared.ranges.iter().map(|range| (range.partition, range.to)));
        }
        commit::commit(self, prepared, ending).await
    }

    pub async fn hear(&mut self, event: Event) -> Result<(), StoreError> {
        match event {
            Event::Reading { partition, owner } => {
                let Some(task) = self.held.get_mut(&partition).filter(|task| task.owner == owner) else {
                    return Ok(());
                };
                if task.problem.take().is_some() {
                    tracing::info!(partition, "a task goes on");
                    self.store.set_problem((partition, owner), None).await?;
                }
            }
            Event::Problem { partition, owner, problem } => {
                if self.held.get(&partition).is_some_and(|task| task.owner == owner) {
                    self.stand_still(partition, problem).await?;
                }
            }
        }
        Ok(())
    }

    /// What is due by time: the lease, the share, the group's positions, old versions.
    pub async fn look(&mut self) -> Result<(), StoreError> {
        let ending = self.survey.iter().flat_map(|survey| &survey.tasks).any(|task| task.ending);
        let every = if ending { LOOK_SOON } else { LOOK_EVERY };
        if self.looked.is_some_and(|at| at.elapsed() < every) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        self.renew().await?;
        let survey = self.store.survey().await?;
        self.live = survey.live;
        self.show_in_group();
        self.share(&survey).await?;
        self.worker.health.claimed.store(true, Ordering::Relaxed);
        let standing = self.held.values().filter(|task| task.problem.is_some()).count();
        self.worker.metrics.tasks.set(self.held.len() as i64);
        self.worker.metrics.problems.set(standing as i64);
        self.survey = Some(survey);
        self.mirror();
        self.prune().await
    }

    /// Renews what no epoch has renewed lately, and the worker's own row.
    async fn renew(&mut self) -> Result<(), StoreError> {
        if self.beat.is_some_and(|at| at.elapsed() < RENEW_EVERY) {
            return Ok(());
        }
        self.beat = Some(Instant::now());
        let stable = self.worker.shared.stable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lag = |partition: i32, task: &Task| stable.get(&partition).map(|end| (end - task.next_offset).max(0));
        for (&partition, task) in &self.held {
            if let Some(lag) = lag(partition, task) {
                self.worker.metrics.lag.with_label_values(&[&self.store.topics().label(partition)]).set(lag);
            }
        }
        let due: Vec<(i32, i64, Option<i64>)> = self
            .held
            .iter()
            .filter(|(_, task)| task.renewed.elapsed() >= RENEW_EVERY)
            .map(|(&partition, task)| (partition, task.owner, lag(partition, task)))
            .collect();
        let kept: BTreeSet<i32> = self.store.renew(&due).await?.into_iter().collect();
        let lost: Vec<i32> =
            due.iter().map(|(partition, ..)| *partition).filter(|partition| !kept.contains(partition)).collect();
        if !lost.is_empty() {
            return Err(StoreError::Lost(lost));
        }
        for partition in kept {
            if let Some(task) = self.held.get_mut(&partition) {
                task.renewed = Instant::now();
            }
        }
        Ok(())
    }

    /// Claims and gives back; lets tasks stand still or go on.
    async fn share(&mut self, survey: &Survey) -> Result<(), StoreError> {
        let state = survey.state.map_or("not in the catalog", RevisionState::name);
        if !survey.state.is_some_and(RevisionState::is_worked_on) {
            self.held.clear();
            self.worker.tell(Command::StopAll);
            self.say_idle(format!("the revision is {state}: its tasks are not worked on"));
            return Ok(());
        }
        let released = self.released(survey);
        let held: BTreeSet<i32> = self.held.keys().copied().collect();
        let Decision { mut claim, give_back } =
            share::decide(&survey.tasks, &held, &self.worker.name.holder, survey.live_workers);
        claim.extend(released);
        if !claim.is_empty() {
            let claimed = self.store.claim(&claim).await?;
            step("after_claim");
            self.take(claimed);
        }
        if let Some(partition) = give_back
            && let Some(task) = self.held.remove(&partition)
        {
            self.worker.tell(Command::Stop(vec![partition]));
            self.store.give_back(&[(partition, task.owner)]).await?;
            tracing::info!(partition, "task given back");
        }
        match self.held.is_empty() {
            true => self.say_idle("no task is free".into()),
            false => self.idle = None,
        }
        self.judge(survey).await
    }

    fn say_idle(&mut self, why: String) {
        if self.idle.as_ref() != Some(&why) {
            tracing::info!(why, "idle");
            self.idle = Some(why);
        }
    }

    fn take(&mut self, claimed: Vec<Claimed>) {
        for claimed in claimed {
            let Claimed { partition, topic_id, kafka_cluster_id, next_offset, owner, shared, problem, hold } = claimed;
            let next_offset = match self.worker.remembered.get(&partition) {
                Some(&remembered) if sabotaged("trust_memory_after_reconnect") => remembered,
                _ => next_offset,
            };
            tracing::info!(partition, owner, next_offset, "task claimed");
            let task = Task {
                owner,
                next_offset,
                shared,
                problem,
                topic_id,
                cluster_id: kafka_cluster_id,
                renewed: Instant::now(),
                asked: None,
                mirrored: None,
                hold,
                rests: false,
            };
            self.held.insert(partition, task);
        }
    }

    /// Decides which held tasks are read, and how fast.
    async fn judge(&mut self, survey: &Survey) -> Result<(), StoreError> {
        let pace = survey.pace.filter(|_| !sabotaged("ignore_pace"));
        let limit = share::limit(pace, self.held.len(), survey.tasks.len());
        *self.worker.shared.limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
        let stop = if survey.catalog_id != self.worker.catalog_id {
            Some(Problem::CatalogChanged { expected: self.worker.catalog_id.clone(), found: survey.catalog_id.clone() })
        } else {
            errors::stopped(survey).map(Problem::ErrorsStopped)
        };
        if let Some(problem) = stop {
            let partitions: Vec<i32> = self.held.keys().copied().collect();
            for partition in partitions {
                self.stand_still(partition, problem.clone()).await?;
            }
            return Ok(());
        }
        let mut assignments = Vec::new();
        for (&partition, task) in &mut self.held {
            let due = match &task.problem {
                None => task.asked.is_none() && !task.stands(),
                Some(problem) => {
                    let stopped_by_errors = problem.starts_with("ErrorsStopped:");
                    Problem::heals(problem)
                        && task.asked.is_none_or(|at| at.elapsed() > TRY_AGAIN_EVERY)
                        && (!stopped_by_errors || errors::may_go_on(survey))
                }
            };
            if due {
                task.asked = Some(Instant::now());
                assignments.push(Assignment {
                    partition,
                    owner: task.owner,
                    position: task.next_offset,
                    topic_id: task.topic_id.clone(),
                    cluster_id: task.cluster_id.clone(),
                });
            }
        }
        if !assignments.is_empty() {
            self.worker.tell(Command::Read(assignments));
        }
        Ok(())
    }

    /// Shows Kafka's tools where this view is.
    fn mirror(&mut self) {
        if self.mirrored.elapsed() < MIRROR_EVERY {
            return;
        }
        self.mirrored = Instant::now();
        let mut positions = Vec::new();
        for (&partition, task) in &mut self.held {
            if task.problem.is_none() && task.mirrored != Some(task.next_offset) {
                task.mirrored = Some(task.next_offset);
                positions.push((partition, task.next_offset));
            }
        }
        if !positions.is_empty() {
            self.worker.tell(Command::Mirror(positions));
        }
    }

    /// Chooses the consumer group: the stable one for the live revision, one of its own while it is built.
    fn show_in_group(&mut self) {
        let name = &self.worker.name;
        let building = (!self.live).then_some(name.revision.as_str());
        let group = consumer_group(&name.namespace, &name.view, building);
        if self.group.as_ref() != Some(&group) {
            self.group = Some(group.clone());
            self.held.values_mut().for_each(|task| task.mirrored = None);
            self.worker.tell(Command::Group(group));
        }
    }

    async fn prune(&mut self) -> Result<(), StoreError> {
        if self.pruned.elapsed() < PRUNE_EVERY || self.held.is_empty() {
            return Ok(());
        }
        self.pruned = Instant::now();
        for _ in 0..PRUNED_BATCHES {
            let gone = self.store.prune().await?;
            if gone == 0 {
                break;
            }
            tracing::info!(gone, "versions of deleted keys dropped");
        }
        Ok(())
    }

    /// Ends in good order: what is held is free at once for the others.
    pub async fn leave(self) -> Result<(), StoreError> {
        let held: Vec<(i32, i64)> = self.held.iter().map(|(&partition, task)| (partition, task.owner)).collect();
        self.store.leave(&held).await
    }
}
