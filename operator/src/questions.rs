//! The second controller: answers each RolloutPlan with what the first one would do, does none of it, and deletes the
//! question when it has been there for a while.

use crate::{
    controller::{Reconciler, now},
    view::{
        moment::Moment,
        question::{answer, status, supposed},
        spec::parse,
        trouble::Trouble,
    },
    world::{World, cluster},
};
use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    runtime::{Controller, controller, watcher},
};
use millrace_crds::RolloutPlan;
use std::{convert::Infallible, sync::Arc, time::Duration};

/// Questions that are answered at the same time: those who ask do not keep views waiting.
const CONCURRENCY: u16 = 2;
/// How long a question is kept.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// What could not be looked at is looked at again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

struct Asked<W> {
    client: Client,
    reconciler: Arc<Reconciler<W>>,
}

/// Runs until `stop` is ready.
pub async fn run<W: World + Send + Sync + 'static>(
    client: Client,
    reconciler: Arc<Reconciler<W>>,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let questions: Api<RolloutPlan> = Api::all(client.clone());
    Controller::new(questions, watcher::Config::default())
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop)
        .run(reconcile::<W>, |_, error: &Infallible, _| match *error {}, Arc::new(Asked { client, reconciler }))
        .for_each(|round| async move {
            if let Err(error) = round {
                tracing::warn!(%error, "watch of questions interrupted");
            }
        })
        .await;
}

async fn reconcile<W: World>(
    question: Arc<RolloutPlan>,
    asked: Arc<Asked<W>>,
) -> Result<controller::Action, Infallible> {
    let again = match attend(&question, &asked).await {
        Ok(again) => again,
        Err(trouble) => {
            tracing::warn!(question = question.name_any(), %trouble, "not answered");
            Some(AGAIN_AFTER)
        }
    };
    Ok(again.map_or_else(controller::Action::await_change, controller::Action::requeue))
}

/// Answers the question, or deletes it; when to look at it again.
async fn attend<W: World>(question: &RolloutPlan, asked: &Asked<W>) -> Result<Option<Duration>, Trouble> {
    let Asked { client, reconciler } = asked;
    let asked_at = question.creation_timestamp().map(|time| Moment(time.0.as_millisecond()));
    let left = KEPT_FOR.saturating_sub(asked_at.map_or(Duration::ZERO, |at| now().since(at)));
    if left.is_zero() {
        cluster::forget(client, question).await?;
        return Ok(None);
    }
    if question.verdict().is_some() {
        return Ok(Some(left));
    }
    let there = cluster::view_asked_about(client, question).await?;
    let desired = parse(&supposed(question, there), &reconciler.settings);
    let observed = reconciler.world.observe(&desired).await;
    let answer = answer(&desired, &observed, now());
    let again = if answer.is_ok() { left } else { AGAIN_AFTER.min(left) };
    cluster::write_answer(client, question, &status(question, answer, now())).await?;
    Ok(Some(again))
}
