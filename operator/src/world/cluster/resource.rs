//! The resource itself: its finalizer and its status; the spec is people's.

use super::{super::Performed, FIELD_MANAGER, trouble};
use crate::view::trouble::Trouble;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::NamespaceResourceScope,
};
use millrace_crds::{GROUP, VERSION};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt::Debug, marker::PhantomData};

/// The finalizer is a field of its own: a later apply of the status does not take it back.
const FINALIZER_MANAGER: &str = "millrace-operator-finalizer";

/// One resource of the kind `K`, exactly this one: with its uid, so that one that is gone is not made again by applying
/// to it.
pub struct Exactly<'a, K> {
    pub client: &'a Client,
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
    pub finalizer: &'static str,
    pub kind: PhantomData<K>,
}

impl<K> Exactly<'_, K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    fn manifest(&self, metadata: Value) -> Value {
        let mut manifest = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": K::kind(&()),
            "metadata": {"name": self.name, "namespace": self.namespace, "uid": self.uid},
        });
        if let (Value::Object(whole), Value::Object(more)) = (&mut manifest["metadata"], metadata) {
            whole.extend(more);
        }
        manifest
    }

    fn api(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    pub async fn add_finalizer(&self) -> Result<Performed, Trouble> {
        let params = PatchParams::apply(FINALIZER_MANAGER).force();
        let manifest = self.manifest(json!({"finalizers": [self.finalizer]}));
        match self.api().patch(self.name, &params, &Patch::Apply(manifest)).await {
            Ok(_) => Ok(Performed::Done),
            Err(error) if is_another(&error) => Ok(changed()),
            Err(error) => Err(trouble("take the finalizer", &error)),
        }
    }

    /// Takes exactly this finalizer from the list that was read: to apply nothing would leave it where somebody else has
    /// applied it too.
    pub async fn remove_finalizer(&self) -> Result<Performed, Trouble> {
        let all = self.api();
        let is_ours = |finalizer: &String| finalizer == self.finalizer;
        let refused = |error| trouble("take the finalizer off", &error);
        let Some(there) = all.get_opt(self.name).await.map_err(refused)? else { return Ok(Performed::Done) };
        if there.uid().as_deref() != Some(self.uid) || !there.finalizers().iter().any(is_ours) {
            return Ok(Performed::Done);
        }
        let others: Vec<&String> = there.finalizers().iter().filter(|finalizer| !is_ours(finalizer)).collect();
        let patch = json!({"metadata": {"resourceVersion": there.resource_version(), "finalizers": others}});
        match all.patch(self.name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(left) if left.finalizers().iter().any(is_ours) => Ok(changed()),
            Ok(_) => Ok(Performed::Done),
            Err(error) if is_another(&error) => Ok(changed()),
            Err(error) => Err(refused(error)),
        }
    }

    pub async fn write_status<S: Serialize>(&self, status: &S) -> Result<(), Trouble> {
        let mut manifest = self.manifest(json!({}));
        // A status has text keys only, so it serialises.
        manifest["status"] = serde_json::to_value(status).unwrap_or_default();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match self.api().patch_status(self.name, &params, &Patch::Apply(manifest)).await {
            Ok(_) => Ok(()),
            Err(error) if is_another(&error) => Ok(()),
            Err(error) => Err(trouble("take the status", &error)),
        }
    }
}

/// Gone, changed since, or another resource of the same name by now.
pub fn is_another(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(answer) if answer.code == 404 || answer.code == 409)
}

fn changed() -> Performed {
    Performed::NotYet("another look: the resource has changed".to_owned())
}
