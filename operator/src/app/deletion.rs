//! Deletion of an app: its instances end, then what is asked for is deleted, then the finalizer goes; it never sticks.

use super::{action::Action, desired::Desired, observed::Observed, plan::Plan};
use crate::view::{
    deletion::PATIENCE,
    desired::{Deletion, DeletionPolicy},
    known::Known,
    moment::Moment,
    trouble::Trouble,
};
use millrace_crds::Reason;
use std::time::Duration;

pub fn plan(desired: &Desired, deletion: Deletion, observed: &Observed, now: Moment) -> Plan {
    let mut plan = Plan::idle();
    if !desired.finalizer {
        return plan;
    }
    let tried = deletion.blocked_since.map_or(Duration::ZERO, |since| now.since(since));
    if tried >= PATIENCE {
        // Nothing else: whatever kept it from ending until now may keep it from this, too.
        let left_behind = (desired.deletion_policy == DeletionPolicy::Delete).then(|| left_behind(desired));
        plan.actions.push(Action::RemoveFinalizer { left_behind });
        return plan;
    }
    let children = match &observed.children {
        Known::Present(children) => children,
        Known::Unknown(trouble) => return blocked(plan, desired, trouble),
        Known::Absent => return plan,
    };
    if let Some(deployment) = children.deployment.as_ref().filter(|deployment| deployment.ours) {
        if !deployment.deleting {
            plan.actions.push(Action::DeleteDeployment {
                name: desired.identity.name.deployment(),
                uid: deployment.uid.clone(),
                resource_version: deployment.resource_version.clone(),
            });
        }
        plan.wait("instances to end", Duration::from_secs(1));
        return plan;
    }
    if desired.deletion_policy == DeletionPolicy::Retain {
        plan.actions.push(Action::RemoveFinalizer { left_behind: None });
        return plan;
    }
    if !children.pods.is_empty() {
        plan.wait("instances to end", Duration::from_secs(1));
        return plan;
    }
    let group = match (&observed.group, &observed.internal) {
        // A group that another app has is that app's.
        _ if desired.allowed.is_err() => None,
        (Known::Unknown(trouble), _) | (_, Known::Unknown(trouble)) => return blocked(plan, desired, trouble),
        (Known::Present(group), _) => Some(group),
        (Known::Absent, _) => None,
    };
    if let Some(group) = group {
        if !group.members.is_empty() {
            let names: Vec<String> = group.members.iter().map(|member| member.described()).collect();
            plan.wait(format!("{} to leave the group", names.join(", ")), Duration::from_secs(1));
            return plan;
        }
        let internal: Vec<String> = observed.internal.present().into_iter().flatten().cloned().collect();
        if !internal.is_empty() {
            let ledger = children.ledger.as_ref().map(|ledger| ledger.resource_version.clone());
            plan.actions.push(Action::DeleteInternalTopics { topics: internal, ledger });
        }
        plan.actions.push(Action::DeleteGroup);
    }
    if let Some(ledger) = children.ledger.as_ref().filter(|ledger| ledger.ours) {
        plan.actions.push(Action::DeleteLedger { resource_version: ledger.resource_version.clone() });
    }
    plan.actions.push(Action::RemoveFinalizer { left_behind: None });
    plan
}

fn blocked(mut plan: Plan, desired: &Desired, problem: &Trouble) -> Plan {
    plan.troubles.push(Trouble {
        reason: Reason::DeletionBlocked,
        message: format!(
            "{} is being deleted, and what it has cannot be cleaned up: {}; after {} minutes the resource goes without it",
            desired.identity.name,
            problem.message,
            PATIENCE.as_secs() / 60
        ),
        area: problem.area,
    });
    plan.wait("what could not be asked", Duration::from_secs(10));
    plan
}

fn left_behind(desired: &Desired) -> String {
    let internal = desired.internal.as_ref();
    let internal = internal.map(|internal| format!(", the internal topics {}*", internal.prefix)).unwrap_or_default();
    format!(
        "{} was deleted without cleaning up what did not answer: the offsets of the group {}{internal} and the ConfigMap {} \
         may be left",
        desired.identity.name,
        desired.group,
        desired.identity.name.ledger()
    )
}
