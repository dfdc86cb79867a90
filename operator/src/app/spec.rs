//! A StreamApp as it was written, parsed into what it asks for.

use super::{
    desired::{Desired, Identity, Internal},
    name::AppName,
    replay,
};
use crate::view::{
    desired::{Deletion, DeletionPolicy, EnsureTopic, TopicWish, WorkerCount},
    moment::Moment,
    spec::{PAUSE, Settings},
    trouble::Trouble,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use millrace_crds::{self as crds, ConditionType, Reason, StreamApp, StreamAppStatus};
use std::sync::Arc;

pub const FINALIZER: &str = "millrace.dev/app";

/// What `app` asks for, beside the `others` that there are.
pub fn parse<'a>(
    app: &StreamApp,
    settings: &Settings,
    others: impl IntoIterator<Item = &'a StreamApp> + Clone,
) -> Desired {
    let crds::StreamAppSpec {
        inputs,
        outputs,
        consumer_group,
        internal_topics,
        pod_template,
        workers,
        replay,
        kafka,
        suspend,
        deletion_policy,
    } = &app.spec;
    let name = name_of(app);
    let status = app.status.clone().unwrap_or_default();
    let parsed = replay::parse(replay.as_ref());
    let topics = inputs.iter().chain(outputs).map(|topic| topic.topic.as_str());
    let prefix = internal_topics.iter().map(|internal| internal.prefix.as_str());
    let allowed = match (&parsed, rival(app, others.clone())) {
        (Err(sentence), _) => Err(Trouble::group(Reason::InvalidSpec, sentence.clone())),
        (Ok(_), Some(rival)) => Err(Trouble::group(
            Reason::GroupTaken,
            format!(
                "the consumer group {consumer_group} is that of the StreamApp {}, and two apps of one group would take each \
                 other's records; make this one again with a group of its own",
                name_of(rival)
            ),
        )),
        (Ok(_), None) => settings.tenancy.allows_topics(&name.namespace, topics.chain(prefix)),
    };
    Desired {
        identity: Identity {
            uid: app.uid().unwrap_or_default(),
            kafka_secret: kafka.as_ref().map(|connection| connection.secret_ref.name.clone()),
            name,
        },
        generation: app.metadata.generation.unwrap_or_default(),
        finalizer: app.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        deletion: app.metadata.deletion_timestamp.as_ref().map(|_| Deletion { blocked_since: blocked_since(&status) }),
        paused: app.annotations().get(PAUSE).is_some_and(|value| value == "true"),
        suspended: *suspend,
        allowed,
        inputs: inputs.iter().map(wish).collect(),
        outputs: outputs.iter().map(wish).collect(),
        group: consumer_group.clone(),
        internal: internal_topics.as_ref().map(|internal| Internal {
            prefix: internal.prefix.clone(),
            of_others: prefixes_of(app, others, &internal.prefix),
        }),
        template: Arc::new(pod_template.clone()),
        workers: match workers.mode {
            crds::WorkerMode::Auto => WorkerCount::Auto { min: workers.min, max: workers.max },
            crds::WorkerMode::Fixed => WorkerCount::Fixed(workers.replicas),
        },
        replay: parsed.unwrap_or_default(),
        remembered: status.replays,
        deletion_policy: match deletion_policy {
            crds::DeletionPolicy::Retain => DeletionPolicy::Retain,
            crds::DeletionPolicy::Delete => DeletionPolicy::Delete,
        },
    }
}

/// When a deletion's first round was, by the status.
pub fn blocked_since(status: &StreamAppStatus) -> Option<Moment> {
    let stalled = status.condition(ConditionType::Stalled)?;
    let blocked = stalled.reason == Reason::DeletionBlocked.as_str();
    blocked.then_some(Moment(stalled.last_transition_time.0.as_millisecond()))
}

fn name_of(app: &StreamApp) -> AppName {
    AppName::new(app.namespace().unwrap_or_default(), app.name_any())
}

fn wish(topic: &crds::TopicUse) -> TopicWish {
    let crds::TopicUse { topic, ensure_topic } = topic;
    let ensure = ensure_topic.as_ref().map(|ensure| EnsureTopic {
        partitions: ensure.partitions,
        replicas: ensure.replicas,
        config: ensure.config.clone(),
    });
    TopicWish { topic: topic.clone(), ensure }
}

/// The Secret that says which Kafka; none: the operator's.
fn kafka_of(app: &StreamApp) -> Option<(Option<String>, &str)> {
    app.spec.kafka.as_ref().map(|connection| (app.namespace(), connection.secret_ref.name.as_str()))
}

/// The app that had the group first, in the same Kafka as far as can be known.
fn rival<'a>(app: &StreamApp, others: impl IntoIterator<Item = &'a StreamApp>) -> Option<&'a StreamApp> {
    let age = |app: &StreamApp| (app.creation_timestamp().map(|Time(at)| at), app.uid());
    let same = |other: &&StreamApp| {
        other.uid() != app.uid()
            && other.spec.consumer_group == app.spec.consumer_group
            && kafka_of(other) == kafka_of(app)
            && age(other) < age(app)
    };
    others.into_iter().filter(same).min_by_key(|other| age(other))
}

/// The prefixes of other apps that are longer than `prefix` and begin with it.
fn prefixes_of<'a>(app: &StreamApp, others: impl IntoIterator<Item = &'a StreamApp>, prefix: &str) -> Vec<String> {
    let of = |other: &StreamApp| other.spec.internal_topics.as_ref().map(|internal| internal.prefix.clone());
    let others = others.into_iter().filter(|other| other.uid() != app.uid()).filter_map(of);
    others.filter(|other| other.len() > prefix.len() && other.starts_with(prefix)).collect()
}
