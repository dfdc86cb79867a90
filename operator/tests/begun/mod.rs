//! Rows of the catalog as they are when a revision is begun.

use millrace_contract::{Plan, revision::RevisionState};
use millrace_operator::view::{
    action::Start,
    moment::Moment,
    observed::{Progress, RevisionRow},
    trouble::Trouble,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub fn begun(
    plan: Result<Arc<Plan>, Trouble>,
    (errors_policy, errors_stop_above): (String, Option<i32>),
    starts: &[Start],
    now: Moment,
) -> RevisionRow {
    RevisionRow {
        state: RevisionState::Open,
        reason: None,
        plan,
        errors_policy,
        errors_stop_above,
        created_at: now,
        live_at: None,
        ended_at: None,
        approved_at: None,
        paused: false,
        resumed_at: None,
        caught_up_at: None,
        built: None,
        answers: BTreeMap::new(),
        refilling: false,
        pace: None,
        paced_at: None,
        indexes: BTreeSet::new(),
        progress: starts.iter().map(|start| progress_of(start, now)).collect(),
    }
}

pub fn progress_of(start: &Start, now: Moment) -> Progress {
    Progress {
        topic: start.topic.clone(),
        partition: start.partition,
        topic_id: start.topic_id.clone(),
        kafka_cluster_id: start.kafka_cluster_id.clone(),
        start_offset: start.offset,
        started_at: Some(now),
        next_offset: start.offset,
        bytes: Some(0),
        event_time: None,
        committed_at: None,
        lease_until: None,
        lag_records: None,
        problem: None,
        hold: None,
    }
}
