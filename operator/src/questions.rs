//! The controllers of questions: each RolloutPlan and each StreamAppPlan is answered with what the operator would do, none
//! of it is done, and the question is deleted when it has been there for a while.

use crate::{
    app,
    controller::{Reconciler, now},
    view::{
        moment::Moment,
        question::{answer, status, supposed},
        spec::parse,
        trouble::Trouble,
    },
    world::{
        Apps, Views, World,
        cluster::{self, Namespaced},
    },
};
use futures::{FutureExt, StreamExt};
use kube::{
    Api, Client, ResourceExt,
    runtime::{Controller, controller, watcher},
};
use millrace_crds::{RolloutPlan, RolloutPlanStatus, StreamAppPlan};
use std::{convert::Infallible, sync::Arc, time::Duration};

/// Questions of a kind that are answered at the same time: those who ask do not keep views waiting.
const CONCURRENCY: u16 = 2;
/// How long a question is kept.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// What could not be looked at is looked at again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

struct Asked<W> {
    client: Client,
    reconciler: Arc<Reconciler<W>>,
}

/// A kind of question.
trait Question: Namespaced + Send + Sync + 'static {
    fn is_answered(&self) -> bool;

    /// Looks, and says what would be done; a status without a verdict when something could not be seen.
    fn ask<W: World + World<Apps> + Send + Sync>(
        &self,
        asked: &Asked<W>,
    ) -> impl Future<Output = Result<RolloutPlanStatus, Trouble>> + Send;
}

impl Question for RolloutPlan {
    fn is_answered(&self) -> bool {
        self.verdict().is_some()
    }

    async fn ask<W: World + World<Apps> + Send + Sync>(&self, asked: &Asked<W>) -> Result<RolloutPlanStatus, Trouble> {
        let Asked { client, reconciler } = asked;
        let there = cluster::asked_about(client, self, &self.spec.view).await?;
        let desired = parse(&supposed(self, there), &reconciler.settings);
        let observed = World::<Views>::observe(&reconciler.world, &desired).await;
        Ok(status(self, answer(&desired, &observed, now()), now()))
    }
}

impl Question for StreamAppPlan {
    fn is_answered(&self) -> bool {
        self.verdict().is_some()
    }

    async fn ask<W: World + World<Apps> + Send + Sync>(&self, asked: &Asked<W>) -> Result<RolloutPlanStatus, Trouble> {
        let Asked { client, reconciler } = asked;
        let there = cluster::asked_about(client, self, &self.spec.app).await?;
        let others = cluster::all_apps(client).await?;
        let desired = app::spec::parse(&app::question::supposed(self, there), &reconciler.settings, &others);
        let observed = World::<Apps>::observe(&reconciler.world, &desired).await;
        Ok(app::question::status(self, &desired, &observed, now()))
    }
}

/// Runs until `stop` is ready.
pub async fn run<W: World + World<Apps> + Send + Sync + 'static>(
    client: Client,
    reconciler: Arc<Reconciler<W>>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (asked, stop) = (Arc::new(Asked { client, reconciler }), stop.shared());
    tokio::join!(run_one::<RolloutPlan, W>(asked.clone(), stop.clone()), run_one::<StreamAppPlan, W>(asked, stop));
}

async fn run_one<Q: Question, W: World + World<Apps> + Send + Sync + 'static>(
    asked: Arc<Asked<W>>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let questions: Api<Q> = Api::all(asked.client.clone());
    Controller::new(questions, watcher::Config::default())
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop)
        .run(reconcile::<Q, W>, |_, error: &Infallible, _| match *error {}, asked)
        .for_each(|round| async move {
            if let Err(error) = round {
                tracing::warn!(%error, "watch of questions interrupted");
            }
        })
        .await;
}

async fn reconcile<Q: Question, W: World + World<Apps> + Send + Sync + 'static>(
    question: Arc<Q>,
    asked: Arc<Asked<W>>,
) -> Result<controller::Action, Infallible> {
    let again = match attend(&*question, &asked).await {
        Ok(again) => again,
        Err(trouble) => {
            tracing::warn!(question = question.name_any(), %trouble, "not answered");
            Some(AGAIN_AFTER)
        }
    };
    Ok(again.map_or_else(controller::Action::await_change, controller::Action::requeue))
}

/// Answers the question, or deletes it; when to look at it again.
async fn attend<Q: Question, W: World + World<Apps> + Send + Sync>(
    question: &Q,
    asked: &Asked<W>,
) -> Result<Option<Duration>, Trouble> {
    let asked_at = question.creation_timestamp().map(|time| Moment(time.0.as_millisecond()));
    let left = KEPT_FOR.saturating_sub(asked_at.map_or(Duration::ZERO, |at| now().since(at)));
    if left.is_zero() {
        cluster::forget(&asked.client, question).await?;
        return Ok(None);
    }
    if question.is_answered() {
        return Ok(Some(left));
    }
    let status = question.ask(asked).await?;
    let again = if status.text.is_some() { left } else { AGAIN_AFTER.min(left) };
    cluster::write_answer(&asked.client, question, &status).await?;
    Ok(Some(again))
}
