//! The controller: for each view five calls, parse, observe, plan, perform and report, whenever something changed and
//! at every resync.

use crate::{
    questions,
    telemetry::Metrics,
    view::{
        action::Action,
        desired::Desired,
        event::Event,
        moment::Moment,
        plan::{Plan, plan},
        rhythm::{Memory, Rhythm},
        spec::{Settings, parse},
        status::{Outcome, status},
    },
    world::{Performed, Report, World},
};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client, ResourceExt,
    runtime::{Controller, Predicate, PredicateConfig, WatchStreamExt, controller, predicates, reflector, watcher},
};
use millrace_crds::MaterializedView;
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Views that are worked on at the same time.
const CONCURRENCY: u16 = 8;

pub struct Reconciler<W> {
    pub world: W,
    pub settings: Settings,
    pub rhythm: Rhythm,
    pub metrics: Arc<Metrics>,
    pub memories: Mutex<HashMap<String, Memory>>,
}

/// Keeps views true and answers questions about them, until `stop` is ready.
pub async fn run<W: World + Send + Sync + 'static>(
    client: Client,
    reconciler: Reconciler<W>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (reconciler, stop) = (Arc::new(reconciler), stop.shared());
    tokio::join!(run_views(client.clone(), reconciler.clone(), stop.clone()), questions::run(client, reconciler, stop));
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
    let mut memory = reconciler.remember(&resource);
    let desired = parse(&resource, &reconciler.settings);
    let observed = reconciler.world.observe(&desired).await;
    let plan = plan(&desired, &observed, now());
    let (outcome, mut events) = perform(&reconciler.world, &desired, &plan).await;
    let previous = memory.status(&resource);
    let status = status(&desired, &observed, &plan, &outcome, &previous, now());
    events.extend(memory.warnings(&plan, &outcome));
    reconciler.metrics.round(&desired, &plan, &outcome, &status, begun.elapsed());
    let gone = desired.deletion.is_some()
        && plan.actions.iter().any(|action| matches!(action, Action::RemoveFinalizer { .. }));
    let report = Report { status: if gone { None } else { memory.due(&previous, status, now()) }, events };
    if let Err(trouble) = reconciler.world.report(&desired, &report).await {
        tracing::warn!(view = %desired.identity.name, %trouble, "status not written");
        memory.forget_status();
    }
    let again = memory.again(&reconciler.rhythm, &plan, &outcome, rand::random());
    if gone && outcome == Outcome::Done {
        reconciler.forget(&desired);
        return Ok(controller::Action::await_change());
    }
    reconciler.keep(&resource, memory);
    Ok(controller::Action::requeue(again))
}

/// Does the plan's actions in their order, up to the first that fails or must wait.
async fn perform<W: World>(world: &W, desired: &Desired, plan: &Plan) -> (Outcome, Vec<Event>) {
    let view = &desired.identity.name;
    let mut events = Vec::new();
    for action in &plan.actions {
        match world.perform(desired, action).await {
            Ok(Performed::Done) => {
                tracing::info!(%view, %action, "done");
                events.extend(action.event());
            }
            Ok(Performed::NotYet(what)) => {
                tracing::debug!(%view, %action, waiting_on = what, "not yet");
                return (Outcome::Waiting(what), events);
            }
            Err(trouble) => {
                tracing::warn!(%view, %action, %trouble, "failed");
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

impl<W> Reconciler<W> {
    fn memories(&self) -> std::sync::MutexGuard<'_, HashMap<String, Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a view: only how often and when, never what is true.
    fn remember(&self, resource: &MaterializedView) -> Memory {
        self.memories().get(&resource.uid().unwrap_or_default()).cloned().unwrap_or_default()
    }

    fn keep(&self, resource: &MaterializedView, memory: Memory) {
        self.memories().insert(resource.uid().unwrap_or_default(), memory);
    }

    fn forget(&self, desired: &Desired) {
        self.memories().remove(&desired.identity.uid);
        self.metrics.forget(&desired.identity.name);
    }
}
