//! The controller of apps: for each the five calls that a view has, parse, observe, plan, perform and report.

use crate::{
    app::{action::Action, plan::Plan, plan::plan, spec::parse, status::status},
    controller::{Reconciler, now, perform},
    view::{rhythm::Round, status::Outcome},
    world::{Apps, Report, World},
};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        Controller, Predicate, PredicateConfig, WatchStreamExt, controller, predicates,
        reflector::{self, Store},
        watcher,
    },
};
use millrace_crds::StreamApp;
use std::{convert::Infallible, sync::Arc};

/// Apps that are worked on at the same time.
const CONCURRENCY: u16 = 8;

struct Watched<W> {
    reconciler: Arc<Reconciler<W>>,
    /// Every app that there is: two must not have one group.
    all: Store<StreamApp>,
}

/// Runs until `stop` is ready.
pub async fn run<W: World<Apps> + Send + Sync + 'static>(
    client: Client,
    reconciler: Arc<Reconciler<W>>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let apps: Api<StreamApp> = Api::all(client.clone());
    let (reader, writer) = reflector::store();
    // A status of ours changes none of these, so it triggers nothing.
    let changes = predicates::generation.combine(predicates::annotations).combine(predicates::finalizers);
    let stream = watcher(apps, watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        .predicate_filter(changes, PredicateConfig::default());
    let ours = watcher::Config::default().labels("app.kubernetes.io/managed-by=millrace,millrace.dev/app");
    let watched = Arc::new(Watched { reconciler, all: reader.clone() });
    Controller::for_stream(stream, reader)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .owns(Api::<Deployment>::all(client), ours)
        .graceful_shutdown_on(stop)
        .run(reconcile::<W>, |_, error: &Infallible, _| match *error {}, watched)
        .for_each(|round| async move {
            if let Err(error) = round {
                tracing::warn!(%error, "watch of apps interrupted");
            }
        })
        .await;
}

/// One round for one app.
async fn reconcile<W: World<Apps>>(
    resource: Arc<StreamApp>,
    watched: Arc<Watched<W>>,
) -> Result<controller::Action, Infallible> {
    let begun = std::time::Instant::now();
    let reconciler = &watched.reconciler;
    let uid = resource.uid().unwrap_or_default();
    let mut memory = reconciler.app_memories.of(&uid);
    let all = watched.all.state();
    let desired = parse(&resource, &reconciler.settings, all.iter().map(Arc::as_ref));
    let observed = reconciler.world.observe(&desired).await;
    let plan = plan(&desired, &observed, now());
    let (outcome, mut events) = perform::<Apps, W>(&reconciler.world, &desired, &plan.actions).await;
    let previous = memory.status(resource.status.as_ref()).unwrap_or_default();
    let status = status(&desired, &observed, &plan, &outcome, &previous, now());
    events.extend(memory.warnings(&plan.troubles, &outcome));
    reconciler.metrics.apps.round(&desired, &status);
    reconciler.metrics.count(&plan.troubles, &outcome, begun.elapsed());
    let gone = desired.deletion.is_some()
        && plan.actions.iter().any(|action| matches!(action, Action::RemoveFinalizer { .. }));
    let report = Report { status: if gone { None } else { memory.due(&previous, status, now()) }, events };
    if let Err(trouble) = reconciler.world.report(&desired, &report).await {
        tracing::warn!(app = %desired.identity.name, %trouble, "status not written");
        memory.forget_status();
    }
    let Plan { actions, troubles, look_again, .. } = &plan;
    let round = Round { actions, troubles, look_again: *look_again, outcome: &outcome };
    let again = memory.again(&reconciler.rhythm, round, rand::random());
    if gone && outcome == Outcome::Done {
        reconciler.app_memories.forget(&uid);
        reconciler.metrics.apps.forget(&desired.identity.name);
        return Ok(controller::Action::await_change());
    }
    reconciler.app_memories.keep(uid, memory);
    Ok(controller::Action::requeue(again))
}
