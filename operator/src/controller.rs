//! The controller: for each view five calls, parse, observe, plan, perform and report, whenever something changed and
//! at every resync.

use crate::{
    apps, questions,
    telemetry::Metrics,
    view::{
        action::Action,
        event::Event,
        moment::Moment,
        plan::{Plan, plan},
        rhythm::{Memory, Rhythm, Round},
        spec::{Settings, parse},
        status::{Outcome, status},
    },
    world::{Apps, Kind, Performed, Report, World},
};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client, ResourceExt,
    runtime::{Controller, Predicate, PredicateConfig, WatchStreamExt, controller, predicates, reflector, watcher},
};
use millrace_crds::{MaterializedView, MaterializedViewStatus, StreamAppStatus};
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Views that are worked on at the same time.
const CONCURRENCY: u16 = 8;

pub struct Reconciler<W> {
    pub world: W,
    pub settings: Settings,
    pub rhythm: Rhythm,
    pub metrics: Arc<Metrics>,
    pub memories: Memories<MaterializedViewStatus>,
    pub app_memories: Memories<StreamAppStatus>,
}

/// Keeps views and apps true and answers questions about them, until `stop` is ready.
pub async fn run<W: World + World<Apps> + Send + Sync + 'static>(
    client: Client,
    reconciler: Reconciler<W>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (reconciler, stop) = (Arc::new(reconciler), stop.shared());
    tokio::join!(
        run_views(client.clone(), reconciler.clone(), stop.clone()),
        apps::run(client.clone(), reconciler.clone(), stop.clone()),
        questions::run(client, reconciler, stop)
    );
}

async fn run_views<W: World + Send + Sync + 'static>(
    client: Client,
    reconciler: Arc<Reconciler<W>>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let views: Api<MaterializedView> = Api::all(client.clone());
    let (reader, writer) = reflector::store();
    // A status of ours changes none of these, so it triggers nothing.
    let changes = predicates::generation.combine(predicates::annotations).combine(predicates::finalizers);
    let stream = watcher(views, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        .predicate_filter(changes, PredicateConfig::default());
    let ours = watcher::Config::default().labels("app.kubernetes.io/managed-by=millrace");
    Controller::for_stream(stream, reader)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .owns(Api::<Deployment>::all(client), ours)
        .graceful_shutdown_on(stop)
        .run(reconcile::<W>, |_, error: &Infallible, _| match *error {}, reconciler)
        .for_each(|round| async move {
            if let Err(error) = round {
                tracing::warn!(%error, "watch interrupted");
            }
        })
        .await;
}

/// One round for one view.
async fn reconcile<W: World>(
    resource: Arc<MaterializedView>,
    reconciler: Arc<Reconciler<W>>,
) -> Result<controller::Action, Infallible> {
    let begun = std::time::Instant::now();
    let uid = resource.uid().unwrap_or_default();
    let mut memory = reconciler.memories.of(&uid);
    let desired = parse(&resource, &reconciler.settings);
    let observed = reconciler.world.observe(&desired).await;
    let plan = plan(&desired, &observed, now());
    let (outcome, mut events) = perform(&reconciler.world, &desired, &plan.actions).await;
    let previous = memory.status(resource.status.as_ref()).unwrap_or_default();
    let status = status(&desired, &observed, &plan, &outcome, &previous, now());
    events.extend(memory.warnings(&plan.troubles, &outcome));
    reconciler.metrics.round(&desired, &plan, &outcome, &status, begun.elapsed());
    let gone = desired.deletion.is_some()
        && plan.actions.iter().any(|action| matches!(action, Action::RemoveFinalizer { .. }));
    let report = Report { status: if gone { None } else { memory.due(&previous, status, now()) }, events };
    if let Err(trouble) = reconciler.world.report(&desired, &report).await {
        tracing::warn!(view = %desired.identity.name, %trouble, "status not written");
        memory.forget_status();
    }
    let Plan { actions, troubles, look_again, .. } = &plan;
    let round = Round { actions, troubles, look_again: *look_again, outcome: &outcome };
    let again = memory.again(&reconciler.rhythm, round, rand::random());
    if gone && outcome == Outcome::Done {
        reconciler.memories.forget(&uid);
        reconciler.metrics.forget(&desired.identity.name);
        return Ok(controller::Action::await_change());
    }
    reconciler.memories.keep(uid, memory);
    Ok(controller::Action::requeue(again))
}

/// Does the plan's actions in their order, up to the first that fails or must wait.
pub async fn perform<K: Kind, W: World<K>>(
    world: &W,
    desired: &K::Desired,
    actions: &[K::Action],
) -> (Outcome, Vec<Event>) {
    let resource = K::name(desired);
    let mut events = Vec::new();
    for action in actions {
        match world.perform(desired, action).await {
            Ok(Performed::Done) => {
                tracing::info!(resource, %action, "done");
                events.extend(K::event(action));
            }
            Ok(Performed::NotYet(what)) => {
                tracing::debug!(resource, %action, waiting_on = what, "not yet");
                return (Outcome::Waiting(what), events);
            }
            Err(trouble) => {
                tracing::warn!(resource, %action, %trouble, "failed");
                return (Outcome::Failed(trouble), events);
            }
        }
    }
    (Outcome::Done, events)
}

pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What is remembered of each resource, by its uid: only how often and when, never what is true.
#[derive(Debug)]
pub struct Memories<S>(Mutex<HashMap<String, Memory<S>>>);

impl<S> Default for Memories<S> {
    fn default() -> Memories<S> {
        Memories(Mutex::default())
    }
}

impl<S: Clone> Memories<S> {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Memory<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn of(&self, uid: &str) -> Memory<S> {
        self.all().get(uid).cloned().unwrap_or_default()
    }

    pub fn keep(&self, uid: String, memory: Memory<S>) {
        self.all().insert(uid, memory);
    }

    pub fn forget(&self, uid: &str) {
        self.all().remove(uid);
    }
}
