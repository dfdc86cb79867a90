//! An app's Deployment and pods.

use super::{
    super::{
        Performed,
        cluster::{FIELD_MANAGER, failing, is_another, trouble},
    },
    ledger,
};
use crate::{
    app::{
        desired::Desired,
        observed::{Children, DeploymentState, Pod, Template},
        workload::{APP_LABEL, deployment, selector},
    },
    view::{known::Known, observed::KafkaAddress, trouble::Trouble, workers::MANAGED_BY},
};
use k8s_openapi::api::{apps::v1::Deployment, core::v1};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

pub async fn observe(client: &Client, desired: &Desired, kafka: Option<&KafkaAddress>) -> Known<Children> {
    match look(client, desired, kafka).await {
        Ok(children) => Known::Present(children),
        Err(error) => Known::Unknown(trouble("show what the app has", &error)),
    }
}

fn deployments(client: &Client, desired: &Desired) -> Api<Deployment> {
    Api::namespaced(client.clone(), &desired.identity.name.namespace)
}

/// By a list: the operator may list Deployments, and get none.
async fn find(client: &Client, desired: &Desired) -> kube::Result<Option<Deployment>> {
    let named = ListParams::default().fields(&format!("metadata.name={}", desired.identity.name.deployment()));
    Ok(deployments(client, desired).list(&named).await?.items.pop())
}

async fn look(client: &Client, desired: &Desired, kafka: Option<&KafkaAddress>) -> kube::Result<Children> {
    let app = &desired.identity.name;
    let found = find(client, desired).await?;
    let state = found.as_ref().map(|found| state(found, desired));
    let free = state.as_ref().is_none_or(|state| state.ours && !state.deleting);
    let template = match kafka.filter(|_| free && desired.deletion.is_none() && desired.allowed.is_ok()) {
        Some(kafka) => Some(dry_run(client, desired, kafka, found.as_ref()).await?),
        None => None,
    };
    let ours = format!("{},app.kubernetes.io/managed-by={MANAGED_BY}", selector(app));
    let pods: Api<v1::Pod> = Api::namespaced(client.clone(), &app.namespace);
    let pods = pods.list(&ListParams::default().labels(&ours)).await?.items;
    Ok(Children {
        deployment: state,
        template,
        failing: failing(&pods),
        pods: pods.iter().filter(|pod| !has_ended(pod)).map(|found| (found.name_any(), pod(found))).collect(),
        ledger: ledger::find(client, desired).await?,
    })
}

/// Whether nothing of it runs any more, although the API server still shows it.
fn has_ended(pod: &v1::Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn pod(pod: &v1::Pod) -> Pod {
    Pod {
        address: pod.status.as_ref().and_then(|status| status.pod_ip.clone()),
        ending: pod.metadata.deletion_timestamp.is_some(),
    }
}

fn state(found: &Deployment, desired: &Desired) -> DeploymentState {
    let status = found.status.clone().unwrap_or_default();
    let wanted = found.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let replicas = status.replicas.unwrap_or(0);
    let counted = status.observed_generation >= found.metadata.generation;
    let label = |key: &str, value: &str| found.labels().get(key).is_some_and(|found| found == value);
    DeploymentState {
        uid: found.uid().unwrap_or_default(),
        resource_version: found.resource_version().unwrap_or_default(),
        ours: label("app.kubernetes.io/managed-by", MANAGED_BY) && label(APP_LABEL, &desired.identity.name.name),
        wanted,
        replicas,
        ready: status.ready_replicas.unwrap_or(0),
        rolled_out: counted && status.updated_replicas.unwrap_or(0) == replicas && replicas == wanted,
        counted,
        deleting: found.metadata.deletion_timestamp.is_some(),
    }
}

/// What the API server would make of the Deployment, and whether that is what it has.
async fn dry_run(
    client: &Client,
    desired: &Desired,
    kafka: &KafkaAddress,
    found: Option<&Deployment>,
) -> kube::Result<Template> {
    let replicas = found.and_then(|found| found.spec.as_ref()?.replicas).unwrap_or(0);
    let manifest = deployment(desired, replicas, kafka);
    let params = PatchParams::apply(FIELD_MANAGER).force().dry_run();
    let name = desired.identity.name.deployment();
    match deployments(client, desired).patch(&name, &params, &Patch::Apply(manifest)).await {
        Ok(would) => Ok(Template::Accepted {
            changes: found.is_none_or(|found| {
                found.spec != would.spec
                    || found.labels() != would.labels()
                    || found.annotations() != would.annotations()
                    || found.owner_references() != would.owner_references()
            }),
        }),
        Err(kube::Error::Api(answer)) if refuses(answer.code, &answer.message) => {
            Ok(Template::Refused(answer.message.chars().take(1000).collect()))
        }
        Err(error) => Err(error),
    }
}

/// Whether the answer is about what was sent. What does not have the shape of a Deployment is an internal error to the API
/// server.
fn refuses(code: u16, message: &str) -> bool {
    matches!(code, 400 | 403 | 422) || (code == 500 && message.contains("typed patch object"))
}

pub async fn apply(
    client: &Client,
    desired: &Desired,
    name: &str,
    manifest: &Value,
    seen: Option<&str>,
) -> Result<Performed, Trouble> {
    let refused = |error| trouble(&format!("take the deployment {name}"), &error);
    let mut manifest = manifest.clone();
    match seen {
        Some(version) => manifest["metadata"]["resourceVersion"] = json!(version),
        None if find(client, desired).await.map_err(refused)?.is_some() => return Ok(changed(name)),
        None => {}
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match deployments(client, desired).patch(name, &params, &Patch::Apply(manifest)).await {
        Ok(_) => Ok(Performed::Done),
        Err(error) if is_another(&error) => Ok(changed(name)),
        Err(error) => Err(refused(error)),
    }
}

pub async fn scale(
    client: &Client,
    desired: &Desired,
    name: &str,
    replicas: i32,
    seen: &str,
) -> Result<Performed, Trouble> {
    let patch = json!({"metadata": {"resourceVersion": seen}, "spec": {"replicas": replicas}});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match deployments(client, desired).patch(name, &params, &Patch::Merge(patch)).await {
        Ok(_) => Ok(Performed::Done),
        Err(error) if is_another(&error) => Ok(changed(name)),
        Err(error) => Err(trouble(&format!("scale the deployment {name}"), &error)),
    }
}

fn changed(name: &str) -> Performed {
    Performed::NotYet(format!("another look: the deployment {name} has changed"))
}
