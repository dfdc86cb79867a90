//! Rows of the catalog as they are when a revision is begun: one that is asked for, or a copy of the live one.

use millrace_contract::{Plan, revision::RevisionState};
use millrace_operator::view::{
    action::{NewRevision, Start},
    moment::Moment,
    observed::{Progress, RevisionRow},
    trouble::Trouble,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub fn row_of(new: &NewRevision, now: Moment) -> RevisionRow {
    let plan = Ok(Arc::new(Plan::from_json(&new.plan).expect("the plan is written as it is read")));
    let errors = (new.errors_policy.clone(), new.errors_stop_above);
    RevisionRow { pace: new.pace, ..begun(plan, errors, &new.starts, now) }
}

/// What a verification builds: the live revision's plan, from where that began.
pub fn copy_of(live: &RevisionRow, now: Moment) -> RevisionRow {
    let start = |task: &Progress| Start {
        topic: task.topic.clone(),
        partition: task.partition,
        topic_id: task.topic_id.clone(),
        kafka_cluster_id: task.kafka_cluster_id.clone(),
        offset: task.start_offset,
    };
    let starts: Vec<Start> = live.progress.iter().map(start).collect();
    begun(live.plan.clone(), (live.errors_policy.clone(), live.errors_stop_above), &starts, now)
}

fn begun(
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
