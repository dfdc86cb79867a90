//! A question: what would become of a view if a manifest were applied. It is answered by the plan and the forecast that
//! the operator itself would go by, and nothing of it is performed.

use super::{
    desired::Desired,
    forecast::forecast,
    goal::{Goal, asked},
    known::Known,
    moment::Moment,
    observed::{Catalog, Observed, ViewRow},
    page::{headline, page},
    plan::{LOST, Plan, Sight, plan},
    spec::FINALIZER,
    status::timestamp,
    trouble::{Area, Trouble},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use millrace_crds::{ANSWERED, Forecast, MaterializedView, Reason, RolloutPlan, RolloutPlanStatus, Verdict};

/// What is said about a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub verdict: Verdict,
    pub forecast: Option<Forecast>,
    /// All of it, as a page.
    pub page: String,
}

/// The view as it would be once the manifest was applied; `there` is the one of that name.
pub fn supposed(question: &RolloutPlan, there: Option<MaterializedView>) -> MaterializedView {
    let mut view = MaterializedView::new(&question.spec.view, question.spec.spec.clone());
    view.metadata.namespace = question.namespace();
    if let Some(there) = there {
        (view.metadata, view.status) = (there.metadata, there.status);
    }
    // The first thing that the operator does is not what is asked about.
    view.metadata.finalizers.get_or_insert_default().push(FINALIZER.to_owned());
    view
}

/// What would be done for `desired`; or what could not be looked at and is needed to say it.
pub fn answer(desired: &Desired, observed: &Observed, now: Moment) -> Result<Answer, Trouble> {
    let unfit = unfit(desired);
    let query = match &desired.query {
        Ok(query) if unfit.is_empty() => query,
        Ok(_) | Err(_) => return Ok(refused(desired, &unfit)),
    };
    if let Some(unseen) = unseen(observed) {
        return Err(unseen.clone());
    }
    if let Some(moved) = moved(desired, observed) {
        return Ok(refused(desired, &[moved]));
    }
    let plan = plan(desired, observed, now);
    // A view that is not in the catalog yet is forecast as if it were.
    let nothing = (Catalog::default(), ViewRow::default());
    let catalog = observed.catalog.present().unwrap_or(&nothing.0);
    let view = catalog.view.as_ref().unwrap_or(&nothing.1);
    let sight = Sight { desired, observed, catalog, view, now };
    let goal = asked(sight, query);
    let is_live = view.live.as_ref() == Some(&goal.revision);
    let blocking: Vec<Trouble> =
        plan.troubles.iter().filter(|trouble| blocks(&plan, &goal, trouble)).cloned().collect();
    let is_planned = plan.rollout.is_some() || blocking.is_empty();
    let forecast = (!is_live && is_planned).then(|| forecast(sight, &goal));
    let mut refusals = forecast.as_ref().map_or(Vec::new(), |forecast| forecast.refusals.clone());
    for trouble in blocking.into_iter().filter(|_| !is_live) {
        if !refusals.contains(&trouble) {
            refusals.push(trouble);
        }
    }
    let verdict = match (refusals.is_empty(), is_live) {
        (false, _) => Verdict::Refused,
        (true, true) => Verdict::NoRollout,
        (true, false) => Verdict::Rollout,
    };
    Ok(Answer {
        verdict,
        page: page(desired, verdict, forecast.as_ref(), &plan, &refusals),
        forecast: forecast.map(|forecast| forecast.shown(|number| number)),
    })
}

/// What is said about a manifest that is not looked at any further.
fn refused(desired: &Desired, why: &[Trouble]) -> Answer {
    let page = page(desired, Verdict::Refused, None, &Plan::idle(), why);
    Answer { verdict: Verdict::Refused, forecast: None, page }
}

/// That the target is another one than the view has. The API server refuses such a manifest of the view; of a question it
/// cannot.
fn moved(desired: &Desired, observed: &Observed) -> Option<Trouble> {
    let view = observed.view_of(&desired.identity).filter(|view| view.target != desired.target)?;
    Some(Trouble::sink(
        Reason::InvalidSpec,
        format!(
            "target is {} and was {}, but it cannot change, because readers know the table by it; write {}, or make another \
             MaterializedView",
            desired.target, view.target, view.target
        ),
    ))
}

/// Whether a trouble keeps `goal` from being built until a person acts. Others may well be why it is asked for.
fn blocks(plan: &Plan, goal: &Goal<'_>, trouble: &Trouble) -> bool {
    let lost = LOST.contains(&trouble.reason) && goal.replay.is_none();
    !trouble.heals() && (plan.rollout.is_none() || trouble.area == Area::Rollout || lost)
}

/// What is wrong with the manifest itself, whatever there is in the world.
fn unfit(desired: &Desired) -> Vec<Trouble> {
    let deleting = desired.deletion.map(|_| {
        let view = &desired.identity.name;
        Trouble::cluster(Reason::Deleting, format!("{view} is being deleted; ask again when it is gone"))
    });
    deleting.into_iter().chain(desired.query.as_ref().err().cloned()).chain(desired.allowed.clone().err()).collect()
}

fn unseen(observed: &Observed) -> Option<&Trouble> {
    let Observed { kafka_address, kafka, catalog, children } = observed;
    let topic = kafka.present().and_then(|kafka| kafka.by_topic.values().find_map(Known::trouble));
    let parts = [kafka_address.trouble(), kafka.trouble(), topic, catalog.trouble(), children.trouble()];
    parts.into_iter().flatten().next()
}

/// The status of the question with this answer, or with why there is none.
pub fn status(question: &RolloutPlan, answer: Result<Answer, Trouble>, now: Moment) -> RolloutPlanStatus {
    let generation = question.metadata.generation;
    let (status, reason, message, forecast, text) = match answer {
        Ok(Answer { verdict, forecast, page }) => {
            ("True", verdict.as_str(), headline(verdict).to_owned(), forecast, Some(page))
        }
        Err(Trouble { area: _, reason, message }) => ("False", reason.as_str(), message, None, None),
    };
    let before = question.status.iter().flat_map(|before| &before.conditions).find(|before| before.status == status);
    let answered = Condition {
        type_: ANSWERED.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.chars().take(4_000).collect(),
        observed_generation: generation,
        last_transition_time: before.map_or_else(|| timestamp(now), |before| before.last_transition_time.clone()),
    };
    RolloutPlanStatus {
        observed_generation: generation,
        conditions: vec![answered],
        forecast,
        text: text.map(|text| text.chars().take(32_000).collect()),
    }
}
