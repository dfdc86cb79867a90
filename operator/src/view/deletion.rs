//! Deletion: workers end, then the data is retained or dropped, then the finalizer goes; it never sticks, whatever it
//! waits for.

use super::{
    action::Action,
    desired::{Deletion, DeletionPolicy, Desired},
    known::Known,
    moment::Moment,
    name::Revision,
    observed::Observed,
    plan::Plan,
    trouble::Trouble,
};
use millrace_contract::catalog::CATALOG_VERSION;
use millrace_crds::Reason;
use std::time::Duration;

/// How long a deletion goes on trying, from its first round.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// How much of that is spent on workers that do not end, as on a lost node: cleaning up needs the rest.
const PATIENCE_WITH_WORKERS: Duration = Duration::from_secs(300);

pub fn plan(desired: &Desired, deletion: Deletion, observed: &Observed, now: Moment) -> Plan {
    let mut plan = Plan::idle();
    if !desired.finalizer {
        return plan;
    }
    let tried = deletion.blocked_since.map_or(Duration::ZERO, |since| now.since(since));
    if tried >= PATIENCE {
        // Nothing else: whatever kept it from ending until now may keep it from this, too.
        let left_behind = leaves_something(desired, observed).then(|| left_behind(desired));
        plan.actions.push(Action::RemoveFinalizer { left_behind });
        return plan;
    }
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
        if running && tried < PATIENCE_WITH_WORKERS {
            plan.wait("workers to end", Duration::from_secs(1));
            return plan;
        }
    }
    let name = &desired.identity.name;
    let problem = match (&observed.catalog, &observed.children) {
        (Known::Unknown(trouble), _) => trouble.clone(),
        (_, Known::Unknown(trouble)) => trouble.clone(),
        (Known::Absent, _) => {
            plan.actions.push(Action::RemoveFinalizer { left_behind: None });
            return plan;
        }
        (Known::Present(catalog), _) if catalog.version > CATALOG_VERSION => Trouble::sink(
            Reason::CatalogNewer,
            format!("the catalog has version {}, this operator writes version {CATALOG_VERSION}", catalog.version),
        ),
        (Known::Present(_), _) => {
            plan.actions.push(match (observed.view_of(&desired.identity), desired.deletion_policy) {
                (None, _) => Action::RemoveFinalizer { left_behind: None },
                (Some(_), DeletionPolicy::Retain) => Action::ReleaseView,
                (Some(_), DeletionPolicy::Delete) => Action::DeleteView,
            });
            return plan;
        }
    };
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

/// Whether the view may still have something in Postgres.
fn leaves_something(desired: &Desired, observed: &Observed) -> bool {
    match &observed.catalog {
        Known::Unknown(_) => true,
        Known::Absent => false,
        Known::Present(catalog) => catalog.version > CATALOG_VERSION || observed.view_of(&desired.identity).is_some(),
    }
}

fn left_behind(desired: &Desired) -> String {
    let name = &desired.identity.name;
    format!(
        "{name} was deleted without cleaning up in Postgres, which did not answer: its row in millrace.view, the role that \
         the row names and the one of its gates, the relation {} and the schemas {} are left",
        desired.target,
        name.schema(&Revision("*".to_owned()))
    )
}
