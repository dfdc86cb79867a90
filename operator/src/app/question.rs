//! A question: what would become of an app if a manifest were applied. It is answered by what a replay itself goes by, and
//! nothing of it is performed.

use super::{
    desired::Desired,
    forecast::{Forecast, forecast, partitions, sentences},
    ledger,
    observed::Observed,
    spec::FINALIZER,
};
use crate::view::{moment::Moment, status::timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use millrace_crds::{
    self as crds, ANSWERED, AppVerdict, PartitionForecast, Reason, RolloutPlanStatus, StreamApp, StreamAppPlan,
};

/// As many partitions as an answer lists.
const LISTED: usize = 32;

/// The app as it would be once the manifest was applied; `there` is the one of that name.
pub fn supposed(question: &StreamAppPlan, there: Option<StreamApp>) -> StreamApp {
    let mut app = StreamApp::new(&question.spec.app, question.spec.spec.clone());
    app.metadata.namespace = question.namespace();
    // The API server checks a Deployment of somebody's, and there may be nobody yet.
    app.metadata.uid = question.uid();
    app.metadata.creation_timestamp = question.creation_timestamp();
    if let Some(there) = there {
        (app.metadata, app.status) = (there.metadata, there.status);
    }
    // The first thing that the operator does is not what is asked about.
    app.metadata.finalizers.get_or_insert_default().push(FINALIZER.to_owned());
    app
}

/// The status of the question with its answer, or with why there is none; and whether it is answered.
pub fn status(question: &StreamAppPlan, desired: &Desired, observed: &Observed, now: Moment) -> RolloutPlanStatus {
    let generation = question.metadata.generation;
    let answer = forecast(desired, observed);
    let written = observed.children.present().and_then(|children| children.ledger.as_ref());
    let replays = ledger::remembered(desired, written);
    let (status, reason, message) = match &answer {
        Ok(Forecast::Refused(sentence)) => ("True", AppVerdict::Refused.as_str(), sentence.clone()),
        Ok(Forecast::Stays { .. }) => ("True", AppVerdict::Stays.as_str(), "the group stays where it is".into()),
        Ok(Forecast::Replay(_)) => ("True", AppVerdict::Replay.as_str(), "the group is moved".into()),
        Err(unseen) => ("False", Reason::Unknown.as_str(), unseen.clone()),
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
    let answer = answer.ok().map(|answer| {
        let all = match &answer {
            Forecast::Replay(moves) => partitions(moves),
            Forecast::Refused(_) | Forecast::Stays { .. } => Vec::new(),
        };
        let said = sentences(desired, &answer, &replays);
        let text = page(desired, reason, &said, &all);
        let shown = crds::Forecast {
            sentences: said.iter().map(|sentence| sentence.chars().take(1000).collect()).collect(),
            records: (!all.is_empty()).then(|| all.iter().map(|part| part.records).sum()),
            more_partitions: i32::try_from(all.len().saturating_sub(LISTED)).ok().filter(|more| *more > 0),
            partitions: all.into_iter().take(LISTED).collect(),
            ..crds::Forecast::default()
        };
        (shown, text)
    });
    let (forecast, text) = answer.unzip();
    RolloutPlanStatus {
        observed_generation: generation,
        conditions: vec![answered],
        forecast,
        text: text.map(|text: String| text.chars().take(32_000).collect()),
    }
}

/// The answer as a page: its sentences, and what is read of each partition.
fn page(desired: &Desired, verdict: &str, sentences: &[String], partitions: &[PartitionForecast]) -> String {
    let mut text = format!("{}: {}\n\n", desired.identity.name, verdict.to_lowercase());
    for sentence in sentences {
        text.push_str(&format!("- {sentence}\n"));
    }
    if partitions.is_empty() {
        return text;
    }
    let widest = partitions.iter().map(|part| part.topic.len()).max().unwrap_or_default().max(5);
    text.push_str(&format!("\n{:<widest$}   PARTITION   FROM         RECORDS\n", "TOPIC"));
    for PartitionForecast { topic, partition, from, records, cut_off } in partitions.iter().take(LISTED) {
        let note = if *cut_off { "   older ones are gone" } else { "" };
        text.push_str(&format!("{topic:<widest$}   {partition:<9}   {from:<10}   {records}{note}\n"));
    }
    let more = partitions.len().saturating_sub(LISTED);
    if more > 0 {
        text.push_str(&format!("and {more} partitions more\n"));
    }
    text
}
