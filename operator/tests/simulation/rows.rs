//! What begins a revision: one that is asked for, or a copy of the live one.

use crate::begun::begun;
use millrace_contract::Plan;
use millrace_operator::view::{
    action::{NewRevision, Start},
    moment::Moment,
    observed::{Progress, RevisionRow},
};
use std::sync::Arc;

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
