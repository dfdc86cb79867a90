//! A view's Deployments and pods.

use super::{super::Performed, FIELD_MANAGER, secret, trouble};
use crate::view::{
    desired::Desired,
    known::Known,
    observed::{Children, DeploymentState},
    trouble::Trouble,
    workers::{MANAGED_BY, VIEW_LABEL},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Secret},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use std::{collections::BTreeMap, sync::Arc};

pub async fn observe(client: &Client, desired: &Desired) -> Known<Children> {
    match look(client, desired).await {
        Ok(children) => Known::Present(children),
        Err(error) => Known::Unknown(trouble("list the view's workers", &error)),
    }
}

async fn look(client: &Client, desired: &Desired) -> kube::Result<Children> {
    let view = &desired.identity.name;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &view.namespace);
    let secret = secrets.get_opt(&view.secret()).await?;
    let ours =
        ListParams::default().labels(&format!("{VIEW_LABEL}={},app.kubernetes.io/managed-by={MANAGED_BY}", view.name));
    let list: Api<Deployment> = Api::namespaced(client.clone(), &view.namespace);
    let mut deployments = BTreeMap::new();
    let mut unwell = false;
    for deployment in list.list(&ours).await? {
        let status = deployment.status.clone().unwrap_or_default();
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let ready = status.ready_replicas.unwrap_or(0);
        unwell |= ready < wanted;
        deployments.insert(
            deployment.name_any(),
            DeploymentState {
                uid: deployment.uid().unwrap_or_default(),
                resource_version: deployment.resource_version().unwrap_or_default(),
                replicas: status.replicas.unwrap_or(0),
                ready,
                deleting: deployment.metadata.deletion_timestamp.is_some(),
                manifest: Arc::new(with_type(&deployment)),
            },
        );
    }
    let failing = if unwell {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &view.namespace);
        failing(&pods.list(&ours).await?.items)
    } else {
        None
    };
    Ok(Children { secret: secret.map(|secret| secret::read(&desired.identity, &secret)), deployments, failing })
}

/// As JSON; lists leave the type out, which applied manifests have.
fn with_type(deployment: &Deployment) -> serde_json::Value {
    // A typed object has text keys only, so it serialises.
    let mut manifest = serde_json::to_value(deployment).unwrap_or_default();
    manifest["apiVersion"] = "apps/v1".into();
    manifest["kind"] = "Deployment".into();
    manifest
}

/// A worker that ended more than once and is not ready: what is known of its end.
pub fn failing(pods: &[Pod]) -> Option<String> {
    for pod in pods {
        let name = pod.name_any();
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        for status in statuses.into_iter().flatten().filter(|status| !status.ready) {
            let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
            let reason = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
            let cannot_start = matches!(
                reason,
                "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "CreateContainerConfigError"
            );
            if cannot_start {
                let message = waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
                return Some(format!("worker {name} cannot start: {reason} {message}"));
            }
            if status.restart_count >= 3 && reason == "CrashLoopBackOff" {
                let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
                let code = last.map_or(0, |last| last.exit_code);
                let said = last.and_then(|last| last.message.as_deref()).unwrap_or_default();
                return Some(format!(
                    "worker {name} ended {} times, the last time with code {code}{}{said}; see kubectl -n {} logs {name} -p",
                    status.restart_count,
                    if said.is_empty() { "" } else { ": " },
                    pod.namespace().unwrap_or_default(),
                ));
            }
        }
    }
    None
}

pub async fn apply_deployment(
    client: &Client,
    desired: &Desired,
    name: &str,
    manifest: &serde_json::Value,
) -> Result<Performed, Trouble> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &desired.identity.name.namespace);
    deployments
        .patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(manifest))
        .await
        .map_err(|error| trouble(&format!("take the deployment {name}"), &error))?;
    Ok(Performed::Done)
}

/// Deletes exactly the object that was seen.
pub async fn delete_deployment(
    client: &Client,
    namespace: &str,
    name: &str,
    uid: &str,
    resource_version: &str,
) -> Result<Performed, Trouble> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let only = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: Some(resource_version.to_owned()),
        }),
        // Seen as deleting until its pods are gone.
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..DeleteParams::default()
    };
    match deployments.delete(name, &only).await {
        Ok(_) => Ok(Performed::Done),
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(Performed::Done),
        Err(kube::Error::Api(answer)) if answer.code == 409 => {
            Ok(Performed::NotYet(format!("another look: the deployment {name} has changed")))
        }
        Err(error) => Err(trouble(&format!("delete the deployment {name}"), &error)),
    }
}
