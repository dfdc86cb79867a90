//! The plan: what to do next for a view, what it waits for, and what is wrong; a function of what was asked and seen.

use super::{
    action::{Action, Login, Owner},
    building, comparison, deletion,
    desired::Desired,
    forecast::{Forecast, forecast},
    goal::{Goal, built_anew, goal},
    hold,
    known::Known,
    moment::Moment,
    name::{Revision, Target},
    observed::{Catalog, Children, Kafka, Observed, RevisionRow, TargetState, ViewRow},
    promotion,
    replay::new_replay,
    request, retiring,
    topics::{check_identity, plan_topics, worker_problem},
    trouble::Trouble,
    upkeep, verification,
};
use millrace_contract::{catalog::CATALOG_VERSION, faults::sabotaged, revision::RevisionState};
use millrace_crds::{Reason, RolloutPhase};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub rollout: Option<Rollout>,
    /// In order; one that fails or must wait ends the round, and the next look decides again.
    pub actions: Vec<Action>,
    /// What the rollout waits for, as a sentence.
    pub waiting_on: Option<String>,
    /// What is wrong, the gravest first.
    pub troubles: Vec<Trouble>,
    /// What the rollout will do; none while what is asked for is live.
    pub forecast: Option<Forecast>,
    /// When to look again although nothing is known to have happened; none: at the next resync.
    pub look_again: Option<Duration>,
}

/// Where the newest revision stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub revision: Revision,
    pub phase: RolloutPhase,
}

impl Plan {
    pub fn idle() -> Plan {
        Plan {
            rollout: None,
            actions: Vec::new(),
            waiting_on: None,
            troubles: Vec::new(),
            forecast: None,
            look_again: None,
        }
    }

    pub fn wait(&mut self, what: impl Into<String>, look_again: Duration) {
        self.waiting_on.get_or_insert(what.into());
        self.look_again(look_again);
    }

    pub fn look_again(&mut self, after: Duration) {
        self.look_again = Some(self.look_again.map_or(after, |other| other.min(after)));
    }
}

/// What every step of planning looks at, once there is a view to plan for.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub catalog: &'a Catalog,
    pub view: &'a ViewRow,
    pub now: Moment,
}

impl<'a> Sight<'a> {
    pub fn kafka(&self) -> Option<&'a Kafka> {
        self.observed.kafka.present()
    }

    pub fn children(&self) -> Option<&'a Children> {
        self.observed.children.present()
    }

    pub fn live(&self) -> Option<(&'a Revision, &'a RevisionRow)> {
        self.view.live_row()
    }

    /// Whether a worker of the revision is ready, when that could be asked.
    pub fn has_workers(&self, revision: &Revision) -> Option<bool> {
        let deployment = self.children()?.deployments.get(&self.desired.identity.name.deployment(revision));
        Some(deployment.is_some_and(|deployment| deployment.ready > 0))
    }
}

/// What to do next for a view.
pub fn plan(desired: &Desired, observed: &Observed, now: Moment) -> Plan {
    if let Some(deletion) = desired.deletion {
        return deletion::plan(desired, deletion, observed, now);
    }
    let mut plan = Plan::idle();
    if desired.paused {
        if let Some(view) = observed.view_of(&desired.identity) {
            promotion::end_fence(&mut plan, view, None, now);
            hold::release(&mut plan, view, None, now);
        }
        return plan;
    }
    if !desired.finalizer {
        plan.actions.push(Action::AddFinalizer);
        return plan;
    }
    plan.troubles.extend(desired.query.as_ref().err().cloned());
    plan.troubles.extend(desired.allowed.as_ref().err().cloned());
    for trouble in [
        observed.kafka_address.trouble(),
        observed.kafka.trouble(),
        observed.catalog.trouble(),
        observed.children.trouble(),
    ]
    .into_iter()
    .flatten()
    {
        if !plan.troubles.contains(trouble) {
            plan.troubles.push(trouble.clone());
        }
    }
    let catalog = match &observed.catalog {
        Known::Unknown(_) if !sabotaged("unknown_is_absent") => None,
        Known::Unknown(_) | Known::Absent => {
            match catalog_before(observed) {
                Some(before) if new_replay(desired, &[]).is_none() => {
                    plan.troubles.push(catalog_changed(before, "none"))
                }
                _ if desired.allowed.is_ok() && desired.query.is_ok() => plan.actions.push(Action::MigrateCatalog),
                _ => {}
            }
            None
        }
        Known::Present(catalog) if catalog.version > CATALOG_VERSION => {
            plan.troubles.push(Trouble::sink(
                Reason::CatalogNewer,
                format!(
                    "the catalog has version {}, this operator writes version {CATALOG_VERSION} and changes nothing; \
                     run the operator that wrote it, or a newer one",
                    catalog.version
                ),
            ));
            return plan;
        }
        Known::Present(catalog) => {
            if catalog.version < CATALOG_VERSION {
                plan.actions.push(Action::MigrateCatalog);
            }
            Some(catalog)
        }
    };
    plan_sources(&mut plan, desired, observed, catalog);
    let Some(catalog) = catalog else { return plan };
    let Some(view) = own_view(&mut plan, desired, observed, catalog) else { return plan };
    plan_view(&mut plan, Sight { desired, observed, catalog, view, now });
    plan
}

/// Topics, and whether they are the ones that the live revision has read.
fn plan_sources(plan: &mut Plan, desired: &Desired, observed: &Observed, catalog: Option<&Catalog>) {
    let Some(kafka) = observed.kafka.present() else { return };
    let view = catalog.and_then(|catalog| catalog.view.as_ref());
    let replays: Vec<&str> =
        view.map_or(Vec::new(), |view| view.replays.iter().map(|replay| replay.id.as_str()).collect());
    // A new replay builds from whatever topic there is.
    let reading = view.filter(|_| new_replay(desired, &replays).is_none()).and_then(newest_row);
    // Without a look into the catalog nobody knows what was read, and a missing topic is left alone.
    if desired.allowed.is_ok() && desired.query.is_ok() && !matches!(observed.catalog, Known::Unknown(_)) {
        let (actions, troubles) = plan_topics(desired, kafka, reading);
        plan.actions.extend(actions);
        plan.troubles.extend(troubles);
    }
}

/// The revision that a view's identity is judged by: the live one, or the one being built.
fn newest_row(view: &ViewRow) -> Option<&RevisionRow> {
    view.live_row().map(|(_, row)| row).or_else(|| {
        view.revisions.values().filter(|row| row.state == RevisionState::Open).max_by_key(|row| row.created_at)
    })
}

/// The view's row, when it is this resource's own; otherwise what makes it so.
fn own_view<'a>(plan: &mut Plan, desired: &Desired, observed: &Observed, catalog: &'a Catalog) -> Option<&'a ViewRow> {
    let before = catalog_before(observed);
    let replays: Vec<&str> =
        catalog.view.iter().flat_map(|view| view.replays.iter().map(|replay| replay.id.as_str())).collect();
    if let Some(before) = before
        && before != catalog.id
        && new_replay(desired, &replays).is_none()
    {
        plan.troubles.push(catalog_changed(before, &catalog.id));
        return None;
    }
    let view = catalog.view.as_ref();
    if let Some(view) = view
        && view.uid.as_deref() == Some(desired.identity.uid.as_str())
    {
        return Some(view);
    }
    if desired.allowed.is_err() || desired.query.is_err() {
        return None;
    }
    let target = desired.target.clone();
    let claim = |from| Action::ClaimView { target: target.clone(), from };
    let from = match view {
        Some(view) if view.target != desired.target => Err(Trouble::sink(
            Reason::InvalidSpec,
            format!(
                "target is {}, but a view of this name was retained with the target {}; write that target, or give the \
                 resource another name",
                desired.target, view.target
            ),
        )),
        Some(view) => match &view.uid {
            None => Ok(Owner::Nobody),
            Some(_) if view.workers_alive => Err(Trouble::sink(
                Reason::TargetTaken,
                format!(
                    "{} is kept up to date by workers of another resource of this name, perhaps in another cluster; stop \
                     that one first",
                    desired.target
                ),
            )),
            Some(uid) => Ok(Owner::Gone(uid.clone())),
        },
        None => match &catalog.target {
            TargetState::Free | TargetState::Ours => Ok(Owner::NoRow),
            TargetState::Foreign(kind) => Err(target_exists(&desired.target, kind)),
            TargetState::OfView(other) => Err(Trouble::sink(
                Reason::TargetTaken,
                format!(
                    "{} is the target of the view {other}; make the resource again with another target",
                    desired.target
                ),
            )),
        },
    };
    match from {
        Ok(from) => plan.actions.push(claim(from)),
        Err(trouble) => {
            plan.troubles.push(trouble);
            plan.look_again(Duration::from_secs(10));
        }
    }
    None
}

fn plan_view(plan: &mut Plan, sight: Sight<'_>) {
    let Sight { desired, catalog, view, .. } = sight;
    login(plan, sight);
    let query = desired.query.as_ref().ok().filter(|_| desired.allowed.is_ok());
    let before = plan.actions.len();
    let goal = query.map(|query| {
        let (goal, refused) = goal(sight, query);
        plan.troubles.extend(refused);
        goal
    });
    let replay_asked = goal.as_ref().is_some_and(|goal| goal.replay.is_some());
    // A replay that was begun goes by what it reads itself: it is the way out when the live revision cannot go on.
    let begun = goal.as_ref().and_then(|goal| view.revisions.get(&goal.revision));
    let judged = begun.filter(|row| row.state == RevisionState::Open).or_else(|| newest_row(view));
    let identity = match (sight.kafka(), judged) {
        (Some(kafka), Some(row)) => check_identity(row, kafka),
        _ => Ok(()),
    };
    let problem = judged.and_then(worker_problem);
    let lost = problem.as_ref().is_some_and(|problem| LOST.contains(&problem.reason));
    // One that is built beside a live one is abandoned instead.
    let beside =
        view.live.is_some() && begun.is_some_and(|row| row.state == RevisionState::Open) && !goal_is_live(view, &goal);
    let held = (identity.is_err() || lost) && !beside;
    plan.troubles.extend(identity.err().filter(|_| !replay_asked));
    if let Some(problem) = problem
        && !plan.troubles.iter().any(|trouble| trouble.reason == problem.reason)
    {
        plan.troubles.push(problem);
    }
    if !replay_asked {
        plan.troubles.extend(goal.as_ref().and_then(|goal| built_anew(sight, goal.query)));
    }
    if let Some(failing) = sight.children().and_then(|children| children.failing.as_ref()) {
        plan.troubles.push(Trouble::cluster(Reason::WorkersFailing, failing.clone()));
    }

    if let Some(goal) = goal.as_ref().filter(|goal| view.live.as_ref() != Some(&goal.revision)) {
        plan.forecast = Some(forecast(sight, goal));
    }
    match &goal {
        Some(goal) if !held || replay_asked => building::plan(plan, sight, goal),
        Some(goal) => plan.rollout = Some(Rollout { revision: goal.revision.clone(), phase: held_phase(view, goal) }),
        None => {}
    }
    upkeep::plan(plan, sight);
    let goes = (!held || replay_asked) && !desired.suspended && !desired.rollout.paused;
    let promoted = goal.as_ref().filter(|_| goes);
    if let Some(goal) = promoted {
        promotion::plan(plan, sight, goal);
    }
    let steady = goal_is_live(view, &goal);
    verification::plan(plan, sight, steady);
    retiring::plan(plan, sight, goal.as_ref().map(|goal| &goal.revision).or(view.live.as_ref()));
    if let Some(obey) = request::plan(sight, query, steady) {
        // What was planned without it may not be what is to be done after it.
        plan.actions.truncate(before);
        plan.actions.push(obey);
    }
    promotion::end_fence(plan, view, promoted.map(|goal| &goal.revision), sight.now);
    let compared = promoted.filter(|goal| comparison::is_awaited(sight, goal)).map(|goal| &goal.revision);
    let compared = compared.or_else(|| verification::awaited(sight, steady));
    hold::release(plan, view, compared, sight.now);
    if !catalog.missing_readers.is_empty() {
        let names = catalog.missing_readers.iter().cloned().collect::<Vec<_>>().join(", ");
        plan.troubles.push(Trouble::sink(
            Reason::InvalidSpec,
            format!("target.readers names {names}, but Postgres has no such role; create it, or take it out"),
        ));
    }
}

/// What a view has read is not there any more: nothing is built until a person asks for a replay.
pub const LOST: [Reason; 3] = [Reason::DataLost, Reason::TopicRecreated, Reason::KafkaClusterChanged];

fn goal_is_live(view: &ViewRow, goal: &Option<Goal<'_>>) -> bool {
    goal.as_ref().is_some_and(|goal| view.live.as_ref() == Some(&goal.revision))
}

fn held_phase(view: &ViewRow, goal: &Goal<'_>) -> RolloutPhase {
    if view.live.as_ref() == Some(&goal.revision) { RolloutPhase::Steady } else { RolloutPhase::Building }
}

/// A relation that Millrace did not make is never touched.
pub fn target_exists(target: &Target, kind: &str) -> Trouble {
    Trouble::sink(
        Reason::TargetExists,
        format!(
            "{target} is a {kind} that Millrace did not make, and is left alone; rename or drop it, or make the resource \
             again with another target"
        ),
    )
}

/// The catalog that the view's Secret remembers.
fn catalog_before(observed: &Observed) -> Option<&str> {
    observed.children.present()?.secret.as_ref()?.catalog_id.as_deref()
}

fn catalog_changed(before: &str, now: &str) -> Trouble {
    Trouble::sink(
        Reason::CatalogChanged,
        format!(
            "the view's positions are in the catalog {before}, the database has {now}: it was emptied or is another one; \
             connect the old one again, or ask for a replay (spec.replay with a new id) to build the view in this one"
        ),
    )
}

/// The Secret of the workers, and the password of their role.
fn login(plan: &mut Plan, sight: Sight<'_>) {
    let Sight { desired, observed, catalog, view, .. } = sight;
    let (Some(children), Known::Present(kafka)) = (sight.children(), &observed.kafka_address) else { return };
    let own_kafka = desired.identity.kafka_secret.is_some();
    if kafka.login && !own_kafka {
        plan.troubles.push(Trouble::sources(
            Reason::SecretMissing,
            "the operator's Kafka asks for a login, which workers are not given; put one for this namespace into a Secret \
             and name it in spec.kafka.secretRef",
        ));
    }
    let login = Login {
        address: catalog.address.clone(),
        username: view.role.clone(),
        kafka_ca: kafka.ca.clone().filter(|_| !own_kafka),
        catalog_id: catalog.id.clone(),
    };
    let right = children.secret.as_ref().is_some_and(|secret| {
        secret.address == login.address
            && secret.kafka_ca == login.kafka_ca
            && secret.catalog_id.as_ref() == Some(&login.catalog_id)
            && secret.username == login.username
            && view.password_digest.as_ref() == Some(&secret.password_digest)
    });
    if !right {
        plan.actions.push(Action::ApplyLogin(login));
    }
}
