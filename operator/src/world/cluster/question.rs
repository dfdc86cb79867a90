//! A question about a view: the view that it is about, its answer, and its end.

use super::{FIELD_MANAGER, resource::is_another, trouble};
use crate::view::trouble::Trouble;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use millrace_crds::{GROUP, MaterializedView, RolloutPlan, RolloutPlanStatus, VERSION};
use serde_json::json;

fn api(client: &Client, question: &RolloutPlan) -> Api<RolloutPlan> {
    Api::namespaced(client.clone(), &question.namespace().unwrap_or_default())
}

pub async fn view_asked_about(client: &Client, question: &RolloutPlan) -> Result<Option<MaterializedView>, Trouble> {
    let views: Api<MaterializedView> = Api::namespaced(client.clone(), &question.namespace().unwrap_or_default());
    let view = &question.spec.view;
    views.get_opt(view).await.map_err(|error| trouble(&format!("give the view {view}"), &error))
}

pub async fn write_answer(client: &Client, question: &RolloutPlan, answer: &RolloutPlanStatus) -> Result<(), Trouble> {
    let manifest = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "RolloutPlan",
        // With its uid, so that the answer is not given to another question of the same name.
        "metadata": {"name": question.name_any(), "namespace": question.namespace(), "uid": question.uid()},
        "status": answer,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api(client, question).patch_status(&question.name_any(), &params, &Patch::Apply(manifest)).await {
        Ok(_) => Ok(()),
        Err(error) if is_another(&error) => Ok(()),
        Err(error) => Err(trouble("take the answer", &error)),
    }
}

/// Deletes exactly the question that was seen.
pub async fn forget(client: &Client, question: &RolloutPlan) -> Result<(), Trouble> {
    let only = DeleteParams {
        preconditions: Some(Preconditions { uid: question.uid(), resource_version: None }),
        ..DeleteParams::default()
    };
    match api(client, question).delete(&question.name_any(), &only).await {
        Ok(_) => Ok(()),
        Err(error) if is_another(&error) => Ok(()),
        Err(error) => Err(trouble("delete the question", &error)),
    }
}
