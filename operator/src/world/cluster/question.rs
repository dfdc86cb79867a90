//! A question about a view or an app: what it is about, its answer, and its end.

use super::{FIELD_MANAGER, resource::is_another, trouble};
use crate::view::trouble::Trouble;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions},
    core::NamespaceResourceScope,
};
use millrace_crds::{GROUP, RolloutPlanStatus, StreamApp, VERSION};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Debug;

/// A resource of a namespace, as every call below takes it.
pub trait Namespaced:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

impl<K> Namespaced for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

fn api<K: Namespaced>(client: &Client, beside: &impl ResourceExt) -> Api<K> {
    Api::namespaced(client.clone(), &beside.namespace().unwrap_or_default())
}

/// The resource of this name, beside the question.
pub async fn asked_about<K: Namespaced>(
    client: &Client,
    question: &impl ResourceExt,
    name: &str,
) -> Result<Option<K>, Trouble> {
    let there = api::<K>(client, question).get_opt(name).await;
    there.map_err(|error| trouble(&format!("give the {} {name}", K::kind(&())), &error))
}

/// Every app that there is: two must not have one group.
pub async fn all_apps(client: &Client) -> Result<Vec<StreamApp>, Trouble> {
    let all = Api::<StreamApp>::all(client.clone()).list(&ListParams::default()).await;
    all.map(|list| list.items).map_err(|error| trouble("list the apps", &error))
}

pub async fn write_answer<Q: Namespaced>(
    client: &Client,
    question: &Q,
    answer: &RolloutPlanStatus,
) -> Result<(), Trouble> {
    let manifest = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": Q::kind(&()),
        // With its uid, so that the answer is not given to another question of the same name.
        "metadata": {"name": question.name_any(), "namespace": question.namespace(), "uid": question.uid()},
        "status": answer,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api::<Q>(client, question).patch_status(&question.name_any(), &params, &Patch::Apply(manifest)).await {
        Ok(_) => Ok(()),
        Err(error) if is_another(&error) => Ok(()),
        Err(error) => Err(trouble("take the answer", &error)),
    }
}

/// Deletes exactly the question that was seen.
pub async fn forget<Q: Namespaced>(client: &Client, question: &Q) -> Result<(), Trouble> {
    let only = DeleteParams {
        preconditions: Some(Preconditions { uid: question.uid(), resource_version: None }),
        ..DeleteParams::default()
    };
    match api::<Q>(client, question).delete(&question.name_any(), &only).await {
        Ok(_) => Ok(()),
        Err(error) if is_another(&error) => Ok(()),
        Err(error) => Err(trouble("delete the question", &error)),
    }
}
