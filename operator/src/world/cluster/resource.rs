//! The resource itself: its finalizer and its status; the spec is people's.

use super::{super::Performed, FIELD_MANAGER, trouble};
use crate::view::{desired::Desired, spec::FINALIZER, trouble::Trouble};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use millrace_crds::{GROUP, MaterializedView, MaterializedViewStatus, VERSION};
use serde_json::{Value, json};

/// The finalizer is a field of its own: a later apply of the status does not take it back.
const FINALIZER_MANAGER: &str = "millrace-operator-finalizer";

fn manifest(desired: &Desired, metadata: Value) -> Value {
    let view = &desired.identity.name;
    let mut manifest = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "MaterializedView",
        // With its uid, so that a resource that is gone is not made again by applying to it.
        "metadata": {"name": view.name, "namespace": view.namespace, "uid": desired.identity.uid},
    });
    if let (Value::Object(whole), Value::Object(more)) = (&mut manifest["metadata"], metadata) {
        whole.extend(more);
    }
    manifest
}

fn api(client: &Client, desired: &Desired) -> Api<MaterializedView> {
    Api::namespaced(client.clone(), &desired.identity.name.namespace)
}

pub async fn add_finalizer(client: &Client, desired: &Desired) -> Result<Performed, Trouble> {
    let params = PatchParams::apply(FINALIZER_MANAGER).force();
    let manifest = manifest(desired, json!({"finalizers": [FINALIZER]}));
    match api(client, desired).patch(&desired.identity.name.name, &params, &Patch::Apply(manifest)).await {
        Ok(_) => Ok(Performed::Done),
        Err(error) if is_another(&error) => Ok(changed()),
        Err(error) => Err(trouble("take the finalizer", &error)),
    }
}

/// Takes exactly this finalizer from the list that was read: to apply nothing would leave it where somebody else has
/// applied it too.
pub async fn remove_finalizer(client: &Client, desired: &Desired) -> Result<Performed, Trouble> {
    let views = api(client, desired);
    let name = &desired.identity.name.name;
    let refused = |error| trouble("take the finalizer off", &error);
    let Some(there) = views.get_opt(name).await.map_err(refused)? else { return Ok(Performed::Done) };
    if there.uid().as_ref() != Some(&desired.identity.uid) || !there.finalizers().iter().any(is_ours) {
        return Ok(Performed::Done);
    }
    let others: Vec<&String> = there.finalizers().iter().filter(|finalizer| !is_ours(finalizer)).collect();
    let patch = json!({"metadata": {"resourceVersion": there.resource_version(), "finalizers": others}});
    match views.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(left) if left.finalizers().iter().any(is_ours) => Ok(changed()),
        Ok(_) => Ok(Performed::Done),
        Err(error) if is_another(&error) => Ok(changed()),
        Err(error) => Err(refused(error)),
    }
}

fn is_ours(finalizer: impl AsRef<str>) -> bool {
    finalizer.as_ref() == FINALIZER
}

/// Gone, changed since, or another resource of the same name by now.
pub fn is_another(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(answer) if answer.code == 404 || answer.code == 409)
}

fn changed() -> Performed {
    Performed::NotYet("another look: the resource has changed".to_owned())
}

pub async fn write_status(client: &Client, desired: &Desired, status: &MaterializedViewStatus) -> Result<(), Trouble> {
    let mut manifest = manifest(desired, json!({}));
    // A status has text keys only, so it serialises.
    manifest["status"] = serde_json::to_value(status).unwrap_or_default();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api(client, desired).patch_status(&desired.identity.name.name, &params, &Patch::Apply(manifest)).await {
        Ok(_) => Ok(()),
        Err(error) if is_another(&error) => Ok(()),
        Err(error) => Err(trouble("take the status", &error)),
    }
}
