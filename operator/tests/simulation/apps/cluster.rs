//! A Kubernetes of values: a Deployment, its pods, and the ConfigMap of replays.

use crate::faults::Faults;
use millrace_crds::Reason;
use millrace_operator::{
    app::{
        action::Action,
        observed::{Children, DeploymentState, Ledger, Pod, Template},
    },
    view::{known::Known, trouble::Trouble},
};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug, Default)]
pub struct SimulatedCluster {
    pub finalizer: bool,
    pub deployment: Option<DeploymentState>,
    pub manifest: Arc<serde_json::Value>,
    pub pods: BTreeMap<String, Pod>,
    pub ledger: Option<Ledger>,
    /// The API server refuses the template.
    pub refused: bool,
    versions: u32,
}

impl SimulatedCluster {
    /// `template`: the Deployment as it is to be.
    pub fn observe(&self, hidden: bool, template: Option<serde_json::Value>) -> Known<Children> {
        if hidden {
            return Known::Unknown(Trouble::cluster(Reason::Unknown, "the API server does not answer"));
        }
        let template = template.map(|wanted| {
            if self.refused {
                return Template::Refused("no such field".into());
            }
            let same = |wanted: &serde_json::Value| wanted["spec"]["template"] == self.manifest["spec"]["template"];
            Template::Accepted { changes: self.deployment.is_none() || !same(&wanted) }
        });
        Known::Present(Children {
            deployment: self.deployment.clone(),
            template,
            pods: self.pods.clone(),
            ledger: self.ledger.clone(),
            failing: None,
        })
    }

    /// Whether the ledger has this version.
    pub fn ledger_is(&self, seen: Option<&String>) -> bool {
        self.ledger.as_ref().map(|ledger| &ledger.resource_version) == seen
    }

    fn version(&mut self) -> String {
        self.versions += 1;
        self.versions.to_string()
    }

    /// Does the action; false when a precondition does not hold.
    pub fn perform(&mut self, action: &Action, group: &str) -> bool {
        match action {
            Action::AddFinalizer => self.finalizer = true,
            Action::RemoveFinalizer { .. } => self.finalizer = false,
            Action::ApplyDeployment { name: _, replicas, manifest, seen, ledger } => {
                let there = self.deployment.as_ref().map(|deployment| deployment.resource_version.clone());
                if there != *seen || self.refused || !self.ledger_is(ledger.as_ref()) {
                    return false;
                }
                self.manifest = manifest.clone();
                self.scale(*replicas);
            }
            Action::Scale { name: _, replicas, seen, ledger } => {
                let another = self.deployment.as_ref().is_none_or(|deployment| deployment.resource_version != *seen);
                if another || !self.ledger_is(ledger.as_ref()) {
                    return false;
                }
                self.scale(*replicas);
            }
            Action::DeleteDeployment { name: _, uid, resource_version } => match &mut self.deployment {
                None => {}
                Some(found) if found.uid == *uid && found.resource_version == *resource_version => {
                    found.deleting = true;
                    found.wanted = 0;
                }
                Some(_) => return false,
            },
            Action::WriteLedger { replays, note: _, seen } => {
                if !self.ledger_is(seen.as_ref()) {
                    return false;
                }
                let resource_version = self.version();
                self.ledger =
                    Some(Ledger { resource_version, ours: true, group: group.into(), replays: Ok(replays.clone()) });
            }
            Action::DeleteLedger { resource_version } => {
                if self.ledger.as_ref().is_some_and(|ledger| ledger.resource_version != *resource_version) {
                    return false;
                }
                self.ledger = None;
            }
            Action::ChangeTopic(_)
            | Action::DeleteInternalTopics { .. }
            | Action::AlterOffsets { .. }
            | Action::DeleteGroup => panic!("{action} is not for the cluster"),
        }
        true
    }

    fn scale(&mut self, replicas: i32) {
        let version = self.version();
        let deployment = self.deployment.get_or_insert_with(|| DeploymentState {
            uid: format!("deployment-{version}"),
            resource_version: version.clone(),
            ours: true,
            wanted: replicas,
            replicas: 0,
            ready: 0,
            rolled_out: false,
            counted: false,
            deleting: false,
        });
        deployment.resource_version = version;
        deployment.wanted = replicas;
        (deployment.counted, deployment.rolled_out) = (false, false);
    }

    /// The Deployment's controller makes and ends pods, and counts them; the names of those that are gone.
    pub fn settle(&mut self, faults: &mut Faults) -> Vec<String> {
        let ended: Vec<String> =
            self.pods.iter().filter(|(_, pod)| pod.ending && faults.chance(50)).map(|(name, _)| name.clone()).collect();
        ended.iter().for_each(|name| _ = self.pods.remove(name));
        if self.deployment.as_ref().is_some_and(|deployment| deployment.deleting && self.pods.is_empty()) {
            self.deployment = None;
        }
        let wanted = self.deployment.as_ref().map_or(0, |deployment| deployment.wanted);
        if faults.chance(80) {
            let running = self.pods.values().filter(|pod| !pod.ending).count();
            let wanted = usize::try_from(wanted).unwrap_or(0);
            for pod in self.pods.values_mut().filter(|pod| !pod.ending).skip(wanted) {
                pod.ending = true;
            }
            for _ in running..wanted {
                self.versions += 1;
                let address = Some("10.0.0.1".into());
                self.pods.insert(format!("inventory-app-{}", self.versions), Pod { address, ending: false });
            }
            if let Some(deployment) = &mut self.deployment {
                let there = self.pods.values().filter(|pod| !pod.ending).count();
                deployment.replicas = i32::try_from(there).unwrap_or(i32::MAX);
                deployment.ready = deployment.replicas;
                (deployment.counted, deployment.rolled_out) = (true, deployment.replicas == deployment.wanted);
            }
        }
        ended
    }
}
