//! Deletion: workers end, then the data is retained or dropped, then the finalizer goes; it never sticks.

use super::{
    action::Action,
    desired::{Deletion, DeletionPolicy, Desired},
    known::Known,
    moment::Moment,
    observed::Observed,
    plan::Plan,
    trouble::Trouble,
};
use millrace_contract::catalog::CATALOG_VERSION;
use millrace_crds::Reason;
use std::time::Duration;

/// How long a deletion waits for what does not answer.
pub const PATIENCE: Duration = Duration::from_secs(600);

pub fn plan(desired: &Desired, deletion: Deletion, observed: &Observed, now: Moment) -> Plan {
    let mut plan = Plan::idle();
    if !desired.finalizer {
        return plan;
    }
    let impatient = deletion.blocked_since.is_some_and(|since| now.since(since) >= PATIENCE);
    // Workers first: nothing of theirs is left running. They go with the resource in any case, which owns them.
    if let Some(children) = observed.children.present() {
        let mut running = false;
        for (name, state) in &children.deployments {
            running = true;
            if !state.deleting {
                plan.actions.push(Action::DeleteDeployment {
                    name: name.clone(),
                    uid: state.uid.clone(),
                    resource_version: state.resource_version.clone(),
                });
            }
        }
        if running && !impatient {
            plan.wait("workers to end", Duration::from_secs(1));
            return plan;
        }
    }
    let name = &desired.identity.name;
    let problem = match (&observed.catalog, &observed.children) {
        (Known::Unknown(trouble), _) => trouble.clone(),
        (_, Known::Unknown(trouble)) if !impatient => trouble.clone(),
        (Known::Absent, _) => {
            plan.actions.push(Action::RemoveFinalizer { left_behind: None });
            return plan;
        }
        (Known::Present(catalog), _) if catalog.version > CATALOG_VERSION => Trouble::sink(
            Reason::CatalogNewer,
            format!("the catalog has version {}, this operator writes version {CATALOG_VERSION}", catalog.version),
        ),
        (Known::Present(catalog), _) => {
            let ours =
                catalog.view.as_ref().is_some_and(|view| view.uid.as_deref() == Some(desired.identity.uid.as_str()));
            if !ours {
                plan.actions.push(Action::RemoveFinalizer { left_behind: None });
            } else {
                plan.actions.push(match desired.deletion_policy {
                    DeletionPolicy::Retain => Action::ReleaseView,
                    DeletionPolicy::Delete => Action::DeleteView,
                });
                if impatient {
                    // It could be asked, and yet it was not done for so long.
                    plan.actions = vec![Action::RemoveFinalizer { left_behind: Some(left_behind(desired)) }];
                }
            }
            return plan;
        }
    };
    if impatient {
        plan.actions.push(Action::RemoveFinalizer { left_behind: Some(left_behind(desired)) });
        return plan;
    }
    plan.troubles.push(Trouble {
        reason: Reason::DeletionBlocked,
        message: format!(
            "{name} is being deleted, and what it has in Postgres cannot be cleaned up: {}; after {} minutes the resource \
             goes without it",
            problem.message,
            PATIENCE.as_secs() / 60
        ),
        area: problem.area,
    });
    plan.look_again(Duration::from_secs(10));
    plan
}

fn left_behind(desired: &Desired) -> String {
    let name = &desired.identity.name;
    format!(
        "{name} was deleted without cleaning up in Postgres, which did not answer: its row in millrace.view, the relation \
         {}, schemas {}_* and the role {} are left",
        desired.target,
        name.role(),
        name.role()
    )
}
