//! The resource itself: its finalizer and its status; the spec is people's.

use super::{super::Performed, FIELD_MANAGER, trouble};
use crate::view::{desired::Desired, spec::FINALIZER, trouble::Trouble};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use millrace_crds::{GROUP, MaterializedView, MaterializedViewStatus, VERSION};
use serde_json::{Value, json};

/// The finalizer is a field of its own: it is taken back by applying nothing.
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
    apply_finalizers(client, desired, json!({"finalizers": [FINALIZER]})).await
}

pub async fn remove_finalizer(client: &Client, desired: &Desired) -> Result<Performed, Trouble> {
    apply_finalizers(client, desired, json!({})).await
}

async fn apply_finalizers(client: &Client, desired: &Desired, metadata: Value) -> Result<Performed, Trouble> {
    let params = PatchParams::apply(FINALIZER_MANAGER).force();
    let manifest = manifest(desired, metadata);
    match api(client, desired).patch(&desired.identity.name.name, &params, &Patch::Apply(manifest)).await {
        Ok(_) => Ok(Performed::Done),
        // Gone, or another resource of the same name by now.
        Err(kube::Error::Api(answer)) if answer.code == 404 || answer.code == 409 => {
            Ok(Performed::NotYet("another look: the resource has changed".to_owned()))
        }
        Err(error) => Err(trouble("take the finalizer", &error)),
    }
}

pub async fn write_status(client: &Client, desired: &Desired, status: &MaterializedViewStatus) -> Result<(), Trouble> {
    let mut manifest = manifest(desired, json!({}));
    // A status has text keys only, so it serialises.
    manifest["status"] = serde_json::to_value(status).unwrap_or_default();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api(client, desired).patch_status(&desired.identity.name.name, &params, &Patch::Apply(manifest)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 404 || answer.code == 409 => Ok(()),
        Err(error) => Err(trouble("take the status", &error)),
    }
}
