//! A Kubernetes of values: one Secret and some Deployments.

use crate::faults::Faults;
use millrace_crds::Reason;
use millrace_operator::view::{
    action::{Action, Login},
    known::Known,
    observed::{Children, DeploymentState, WorkerSecret},
    trouble::Trouble,
};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default)]
pub struct SimulatedCluster {
    pub finalizer: bool,
    pub secret: Option<WorkerSecret>,
    pub deployments: BTreeMap<String, DeploymentState>,
    /// What a stale read shows.
    before: Option<Box<SimulatedCluster>>,
    versions: u32,
}

impl SimulatedCluster {
    pub fn observe(&self, hidden: bool, stale: bool) -> Known<Children> {
        if hidden {
            return Known::Unknown(Trouble::cluster(Reason::Unknown, "the API server does not answer"));
        }
        let from = if stale { self.before.as_deref().unwrap_or(self) } else { self };
        Known::Present(Children { secret: from.secret.clone(), deployments: from.deployments.clone(), failing: None })
    }

    pub fn apply_login(&mut self, login: &Login) -> String {
        self.changing();
        let digest = match &self.secret {
            Some(secret) => secret.password_digest.clone(),
            None => format!("password-{}", self.versions),
        };
        self.secret = Some(WorkerSecret {
            address: login.address.clone(),
            username: login.username.clone(),
            password_digest: digest.clone(),
            kafka_ca: login.kafka_ca.clone(),
            catalog_id: Some(login.catalog_id.clone()),
        });
        digest
    }

    /// Does the action; false when a precondition does not hold.
    pub fn perform(&mut self, action: &Action) -> bool {
        self.changing();
        match action {
            Action::ApplyDeployment { name, replicas, manifest, .. } => {
                let version = self.versions.to_string();
                let state = self.deployments.entry(name.clone()).or_insert(DeploymentState {
                    uid: format!("deployment-{version}"),
                    resource_version: version.clone(),
                    manifest: Default::default(),
                    replicas: 0,
                    ready: 0,
                    deleting: false,
                });
                state.manifest = manifest.clone();
                state.resource_version = version;
                state.replicas = *replicas;
                true
            }
            Action::DeleteDeployment { name, uid, resource_version } => match self.deployments.get_mut(name) {
                None => true,
                Some(state) if state.uid == *uid && state.resource_version == *resource_version => {
                    state.deleting = true;
                    true
                }
                Some(_) => false,
            },
            Action::AddFinalizer => {
                self.finalizer = true;
                true
            }
            Action::RemoveFinalizer { .. } => {
                self.finalizer = false;
                true
            }
            _ => panic!("{action} is not for the cluster"),
        }
    }

    fn changing(&mut self) {
        self.versions += 1;
        let mut now = self.clone();
        now.before = None;
        self.before = Some(Box::new(now));
    }

    /// Pods start, and Deployments that are being deleted go.
    pub fn settle(&mut self, faults: &mut Faults) {
        self.deployments.retain(|_, state| !(state.deleting && faults.chance(60)));
        for state in self.deployments.values_mut() {
            if state.ready != state.replicas && faults.chance(60) {
                state.ready = state.replicas;
            }
        }
    }

    /// Every pod ends; the Deployments make new ones.
    pub fn kill(&mut self) {
        self.deployments.values_mut().for_each(|state| state.ready = 0);
    }

    /// Somebody deletes the workers, or the Secret.
    pub fn vandalise(&mut self, faults: &mut Faults) {
        if faults.chance(70) {
            self.deployments.clear();
        } else {
            self.secret = None;
        }
    }

    pub fn works(&self, deployment: &str) -> bool {
        self.deployments.get(deployment).is_some_and(|state| state.ready > 0 && !state.deleting)
    }
}
