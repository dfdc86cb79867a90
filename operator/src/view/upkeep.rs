//! Upkeep of every revision that workers work on: partitions, settings, indexes, Deployments, readers.

use super::{
    action::{Action, Start},
    building::stored_indexes,
    name::Revision,
    observed::{Kafka, RevisionRow, TargetState},
    plan::{Plan, Sight},
    standby,
    workers::{contains, deployment, keep_connections, replicas},
};
use millrace_contract::revision::RevisionState;
use std::sync::Arc;

pub fn plan(plan: &mut Plan, sight: Sight<'_>) {
    let Sight { desired, view, .. } = sight;
    for (revision, row) in &view.revisions {
        // A fenced revision is the live one for a moment: its workers idle.
        let worked_on = match row.state {
            RevisionState::Open | RevisionState::Standby | RevisionState::Fenced => true,
            RevisionState::Retired | RevisionState::Abandoned => false,
        };
        if !worked_on {
            continue;
        }
        if let Some(kafka) = sight.kafka() {
            let starts = missing_partitions(row, kafka);
            if !starts.is_empty() {
                plan.actions.push(Action::AddPartitions { revision: revision.clone(), starts });
            }
        }
        let errors = &desired.errors;
        if row.errors_policy != errors.policy || row.errors_stop_above != errors.stop_above {
            plan.actions.push(Action::SetErrors {
                revision: revision.clone(),
                policy: errors.policy.to_owned(),
                stop_above: errors.stop_above,
            });
        }
        if !view.verifies(revision) {
            indexes(plan, sight, revision, row);
        }
        workers(plan, sight, revision, row);
    }
    gone_workers(plan, sight);
    readers(plan, sight);
}

/// Roles that the resource names may read the target; those that it names no longer may not.
fn readers(plan: &mut Plan, sight: Sight<'_>) {
    let Sight { desired, catalog, view, .. } = sight;
    if catalog.target != TargetState::Ours {
        return;
    }
    let right = |reader: &String| catalog.granted_readers.contains(reader) && view.readers.contains(reader);
    let missing = |reader: &String| catalog.missing_readers.contains(reader);
    let grant: Vec<String> =
        desired.readers.iter().filter(|reader| !right(reader) && !missing(reader)).cloned().collect();
    if !grant.is_empty() {
        plan.actions.push(Action::GrantReaders { target: desired.target.clone(), readers: grant });
    }
    let revoke: Vec<String> = view.readers.iter().filter(|reader| !desired.readers.contains(reader)).cloned().collect();
    if !revoke.is_empty() {
        plan.actions.push(Action::RevokeReaders { target: desired.target.clone(), readers: revoke });
    }
}

/// Partitions that the topics have and `row` does not read yet; they are read from their first record.
fn missing_partitions(row: &RevisionRow, kafka: &Kafka) -> Vec<Start> {
    let mut starts = Vec::new();
    for name in row.topics() {
        let Some(topic) = kafka.topic(name) else { continue };
        let same = row
            .progress
            .iter()
            .all(|task| task.topic != name || (task.topic_id == topic.id && task.kafka_cluster_id == kafka.cluster_id));
        if !same {
            continue;
        }
        for (&partition, offsets) in &topic.partitions {
            if row.task(name, partition).is_none() {
                starts.push(Start {
                    topic: name.to_owned(),
                    partition,
                    topic_id: topic.id.clone(),
                    kafka_cluster_id: kafka.cluster_id.clone(),
                    offset: offsets.earliest,
                });
            }
        }
    }
    starts
}

/// Indexes of the result that are not there: asked for after the revision was made.
fn indexes(plan: &mut Plan, sight: Sight<'_>, revision: &Revision, row: &RevisionRow) {
    let Ok(compiled) = &row.plan else { return };
    for index in stored_indexes(sight.desired, compiled) {
        if !row.indexes.contains(index) {
            plan.actions.push(Action::CreateIndex { revision: revision.clone(), columns: index.clone() });
        }
    }
}

fn workers(plan: &mut Plan, sight: Sight<'_>, revision: &Revision, row: &RevisionRow) {
    let Sight { desired, observed, catalog, .. } = sight;
    let (Some(children), Some(kafka)) = (sight.children(), observed.kafka_address.present()) else { return };
    // Without their login the workers could only fail.
    let Some(secret) = &children.secret else { return };
    if row.plan.is_err() || (kafka.login && desired.identity.kafka_secret.is_none()) {
        return;
    }
    let name = desired.identity.name.deployment(revision);
    let is_built = row.state == RevisionState::Open && sight.view.live.as_ref() != Some(revision);
    let in_rollout = is_built && !sight.view.verifies(revision);
    let replicas = replicas(desired, row, in_rollout);
    let mut manifest = deployment(desired, revision, replicas, kafka, &catalog.address, &secret.password_digest);
    let there = children.deployments.get(&name);
    // Nobody has got through to Kafka this way yet: workers that run are not started again to try it.
    if let (None, Some(there)) = (sight.kafka(), there) {
        keep_connections(&mut manifest, &there.manifest);
    }
    let right = there.is_some_and(|state| contains(&state.manifest, &manifest));
    if !right {
        plan.actions.push(Action::ApplyDeployment {
            name,
            revision: revision.clone(),
            replicas,
            manifest: Arc::new(manifest),
        });
    }
}

/// Deployments of revisions that nobody works on any more.
fn gone_workers(plan: &mut Plan, sight: Sight<'_>) {
    let Some(children) = sight.children() else { return };
    let kept = standby::kept(sight);
    for (name, state) in &children.deployments {
        let wanted = sight.view.revisions.iter().any(|(revision, row)| {
            let works = row.state.is_worked_on() || row.state == RevisionState::Fenced || kept == Some(revision);
            works && sight.desired.identity.name.deployment(revision) == *name
        });
        if !wanted && !state.deleting {
            plan.actions.push(Action::DeleteDeployment {
                name: name.clone(),
                uid: state.uid.clone(),
                resource_version: state.resource_version.clone(),
            });
        }
    }
}
