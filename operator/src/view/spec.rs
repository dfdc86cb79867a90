//! A resource as it was written, parsed into what it asks for.

use super::{
    desired::{
        Deletion, DeletionPolicy, Desired, EnsureTopic, Errors, Gates, Identity, Image, Query, Rollout, TopicWish,
        WorkerCount, Workers,
    },
    moment::Moment,
    name::{Target, ViewName},
    replay, request,
    tenancy::Tenancy,
    trouble::Trouble,
};
use kube::ResourceExt;
use millrace_contract::{
    SqlType,
    source::{self as contract, Origin, SourceColumn, SourceKind},
};
use millrace_crds::{self as crds, ConditionType, MaterializedView, OnBreakingChange, Promotion, Reason, Strategy};
use millrace_sql::{Assertion, SourceDecl, ViewQuery, compile};
use serde_json::json;
use std::{sync::Arc, time::Duration};

pub const FINALIZER: &str = "millrace.dev/view";
pub const PAUSE: &str = "millrace.dev/pause-reconcile";

/// What the operator's configuration adds to every resource.
#[derive(Debug, Clone)]
pub struct Settings {
    pub image: Image,
    pub tenancy: Tenancy,
    /// As many views as are built anew at a time.
    pub concurrent_rollouts: u32,
}

/// What `resource` asks for.
pub fn parse(resource: &MaterializedView, settings: &Settings) -> Desired {
    let crds::MaterializedViewSpec {
        sources,
        query,
        target,
        errors,
        workers,
        replay,
        rollout,
        verify,
        time_zone,
        kafka,
        postgres,
        suspend,
        deletion_policy,
    } = &resource.spec;
    let name = ViewName::new(resource.namespace().unwrap_or_default(), resource.name_any());
    let allowed =
        settings.tenancy.allows(&name.namespace, &target.schema, sources.iter().map(|source| source.topic.as_str()));
    let status = resource.status.clone().unwrap_or_default();
    let annotations = resource.annotations();
    let (errors, rollout) = (parse_errors(errors), parse_rollout(rollout));
    let replays = replay::parse(annotations.get(replay::REPLAY), replay.as_ref(), sources);
    let requests = request::parse(annotations);
    let verify_every = verify.as_ref().map(crds::Verify::every).transpose().map_err(|error| error.to_string());
    // The API server refuses such texts; a resource that came in otherwise is held and says so.
    let malformed = errors.as_ref().err().or(rollout.as_ref().err());
    let malformed = malformed.or(replays.as_ref().err()).or(requests.as_ref().err());
    let malformed = malformed.or(verify_every.as_ref().err()).cloned();
    Desired {
        identity: Identity {
            uid: resource.uid().unwrap_or_default(),
            kafka_secret: kafka.as_ref().map(|connection| connection.secret_ref.name.clone()),
            postgres_secret: postgres.as_ref().map(|connection| connection.secret_ref.name.clone()),
            name,
        },
        generation: resource.metadata.generation.unwrap_or_default(),
        finalizer: resource.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        deletion: resource
            .metadata
            .deletion_timestamp
            .as_ref()
            .map(|_| Deletion { blocked_since: blocked_since(&status) }),
        paused: annotations.get(PAUSE).is_some_and(|value| value == "true"),
        suspended: *suspend,
        query: parse_query(sources, query, time_zone),
        allowed: match malformed {
            Some(sentence) => Err(Trouble::sink(Reason::InvalidSpec, sentence)),
            None => allowed,
        },
        topics: topics(sources),
        target: Target { schema: target.schema.clone(), name: target.name.clone() },
        indexes: target.indexes.clone(),
        readers: target.readers.clone(),
        errors: errors.unwrap_or(Errors { policy: "DeadLetter", stop_above: None }),
        workers: parse_workers(workers),
        replays: replays.unwrap_or_default(),
        remembered_replays: status.replays.iter().map(|replay| replay.id.clone()).collect(),
        rollout: rollout.unwrap_or(Rollout {
            timeout: Duration::from_secs(24 * 3600),
            retain_previous: Duration::from_secs(3600),
            keep_previous_current: false,
            promotion: Promotion::Automatic,
            on_breaking_change: OnBreakingChange::Refuse,
            strategy: Strategy::Shadow,
            paused: false,
            max_records_per_second: None,
            max_live_freshness: None,
            gates: Gates::default(),
        }),
        verify_every: verify_every.unwrap_or_default(),
        requests: requests.unwrap_or_default(),
        deletion_policy: match deletion_policy {
            crds::DeletionPolicy::Retain => DeletionPolicy::Retain,
            crds::DeletionPolicy::Delete => DeletionPolicy::Delete,
        },
        image: settings.image.clone(),
        concurrent_rollouts: settings.concurrent_rollouts,
    }
}

/// When a deletion's first round was, by the status.
pub fn blocked_since(status: &crds::MaterializedViewStatus) -> Option<Moment> {
    let stalled = status.condition(ConditionType::Stalled)?;
    let blocked = stalled.reason == Reason::DeletionBlocked.as_str();
    blocked.then_some(Moment(stalled.last_transition_time.0.as_millisecond()))
}

fn parse_query(sources: &[crds::Source], query: &str, time_zone: &str) -> Result<Query, Trouble> {
    let view = ViewQuery { query, sources: sources.iter().map(declaration).collect(), time_zone };
    let compiled = compile(&view).map_err(|error| Trouble::query(Reason::InvalidQuery, error.to_string()))?;
    Ok(Query {
        canonical: compiled.canonical_query,
        columns: compiled.columns,
        sources: compiled.plan.sources.clone(),
        plan: Arc::new(compiled.plan),
    })
}

fn declaration(source: &crds::Source) -> SourceDecl {
    let crds::Source { name, topic, read_as, format, key_format, key, delete_when, columns, ensure_topic: _ } = source;
    SourceDecl {
        name: name.clone(),
        topic: topic.clone(),
        kind: match read_as {
            crds::ReadAs::Stream => SourceKind::Stream,
            crds::ReadAs::Table => SourceKind::Table,
        },
        format: match format {
            crds::Format::Json => contract::Format::Json,
            crds::Format::DebeziumJson => contract::Format::DebeziumJson,
        },
        key_format: match key_format {
            crds::KeyFormat::Text => contract::KeyFormat::Text,
            crds::KeyFormat::Json => contract::KeyFormat::Json,
            crds::KeyFormat::None => contract::KeyFormat::None,
        },
        key: key.clone(),
        delete_when: delete_when.clone(),
        columns: columns.iter().map(column).collect(),
    }
}

fn column(column: &crds::Column) -> SourceColumn {
    use crds::{ColumnFrom, ColumnType};
    SourceColumn {
        name: column.name.clone(),
        ty: match column.column_type {
            ColumnType::Boolean => SqlType::Boolean,
            ColumnType::Smallint => SqlType::SmallInt,
            ColumnType::Integer => SqlType::Integer,
            ColumnType::Bigint => SqlType::BigInt,
            ColumnType::Real => SqlType::Real,
            ColumnType::DoublePrecision => SqlType::DoublePrecision,
            ColumnType::Numeric => SqlType::Numeric,
            ColumnType::Text => SqlType::Text,
            ColumnType::Date => SqlType::Date,
            ColumnType::Time => SqlType::Time,
            ColumnType::Timestamp => SqlType::Timestamp,
            ColumnType::Timestamptz => SqlType::TimestampTz,
            ColumnType::Uuid => SqlType::Uuid,
            ColumnType::Jsonb => SqlType::Jsonb,
        },
        origin: match column.from {
            None => Origin::Path(column.path().split('.').map(str::to_owned).collect()),
            Some(ColumnFrom::Key) => Origin::Key,
            Some(ColumnFrom::Header) => Origin::Header(column.header.clone().unwrap_or_default()),
            Some(ColumnFrom::Timestamp) => Origin::Timestamp,
            Some(ColumnFrom::Partition) => Origin::Partition,
            Some(ColumnFrom::Offset) => Origin::Offset,
        },
    }
}

/// Each topic once, with what any of its sources asks of it.
fn topics(sources: &[crds::Source]) -> Vec<TopicWish> {
    let mut wishes: Vec<TopicWish> = Vec::new();
    for source in sources {
        let ensure = source.ensure_topic.as_ref().map(|ensure| EnsureTopic {
            partitions: ensure.partitions,
            replicas: ensure.replicas,
            config: ensure.config.clone(),
        });
        match wishes.iter_mut().find(|wish| wish.topic == source.topic) {
            Some(wish) => wish.ensure = wish.ensure.take().or(ensure),
            None => wishes.push(TopicWish { topic: source.topic.clone(), ensure }),
        }
    }
    wishes
}

fn parse_rollout(rollout: &crds::Rollout) -> Result<Rollout, String> {
    let crds::Rollout {
        timeout: _,
        retain_previous: _,
        keep_previous_current,
        promotion,
        on_breaking_change,
        strategy,
        paused,
        max_records_per_second,
        max_live_freshness: _,
        gates,
    } = rollout;
    Ok(Rollout {
        timeout: rollout.timeout().map_err(|error| error.to_string())?,
        retain_previous: rollout.retain_previous().map_err(|error| error.to_string())?,
        keep_previous_current: *keep_previous_current,
        promotion: *promotion,
        on_breaking_change: *on_breaking_change,
        strategy: *strategy,
        paused: *paused,
        max_records_per_second: max_records_per_second.map(i64::from),
        max_live_freshness: rollout.max_live_freshness().map_err(|error| error.to_string())?,
        gates: gates.as_ref().map_or(Ok(Gates::default()), parse_gates)?,
    })
}

fn parse_gates(gates: &crds::Gates) -> Result<Gates, String> {
    let crds::Gates { max_behind_live, soak: _, assertions, comparison } = gates;
    let assertion = |(number, text): (usize, &String)| {
        Assertion::parse(&format!("spec.rollout.gates.assertions[{number}]"), text).map_err(|error| error.to_string())
    };
    Ok(Gates {
        max_behind_live: *max_behind_live,
        soak: gates.soak().map_err(|error| error.to_string())?.unwrap_or_default(),
        assertions: assertions.iter().enumerate().map(assertion).collect::<Result<_, _>>()?,
        comparison: *comparison,
    })
}

fn parse_errors(errors: &crds::Errors) -> Result<Errors, String> {
    let stop_above = errors.stop_above().map_err(|error| error.to_string())?;
    Ok(Errors {
        policy: match errors.policy {
            crds::ErrorPolicy::DeadLetter => "DeadLetter",
            crds::ErrorPolicy::Skip => "Skip",
            crds::ErrorPolicy::Stop => "Stop",
        },
        // Rounded up, so that a share below a hundredth of a percent does not become none at all.
        stop_above: stop_above.map(|share| i32::try_from(share.hundred_thousandths.div_ceil(10)).unwrap_or(i32::MAX)),
    })
}

fn parse_workers(workers: &crds::Workers) -> Workers {
    let crds::Workers { mode, replicas, min, max, resources } = workers;
    Workers {
        count: match mode {
            crds::WorkerMode::Auto => WorkerCount::Auto { min: *min, max: *max },
            crds::WorkerMode::Fixed => WorkerCount::Fixed(*replicas),
        },
        resources: match resources {
            Some(resources) => serde_json::to_value(resources).unwrap_or(json!({})),
            None => json!({"requests": {"cpu": "100m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}),
        },
    }
}
