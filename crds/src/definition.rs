//! The resource definitions as the API server gets them, and as files.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::materialized_view::{MaterializedView, resource_rules};
use crate::rollout_plan::RolloutPlan;
use crate::stream_app::StreamApp;
use crate::stream_app_plan::StreamAppPlan;

/// The definition of MaterializedView.
pub fn materialized_view() -> CustomResourceDefinition {
    with_name_rules(MaterializedView::crd())
}

/// The definition of StreamApp.
pub fn stream_app() -> CustomResourceDefinition {
    with_name_rules(StreamApp::crd())
}

fn with_name_rules(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        // The derive makes the root's schema by itself; the rule on the resource's name can only be added to it.
        if let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            root.x_kubernetes_validations = Some(resource_rules());
        }
    }
    definition
}

/// The definition of RolloutPlan.
pub fn rollout_plan() -> CustomResourceDefinition {
    RolloutPlan::crd()
}

/// Every definition, and where it is written, seen from the top of the repository.
pub fn all() -> [(CustomResourceDefinition, [&'static str; 2]); 4] {
    [
        (materialized_view(), ["crds/yaml/materializedview.yaml", "charts/millrace/files/crds/materializedview.yaml"]),
        (stream_app(), ["crds/yaml/streamapp.yaml", "charts/millrace/files/crds/streamapp.yaml"]),
        (StreamAppPlan::crd(), ["crds/yaml/streamappplan.yaml", "charts/millrace/files/crds/streamappplan.yaml"]),
        (rollout_plan(), ["crds/yaml/rolloutplan.yaml", "charts/millrace/files/crds/rolloutplan.yaml"]),
    ]
}

/// A definition as the text of its file.
pub fn yaml(definition: &CustomResourceDefinition) -> Result<String, serde_yaml::Error> {
    let yaml = serde_yaml::to_string(definition)?;
    Ok(format!("# Made from the Rust types by `cargo run -p millrace-crds --bin crdgen`.\n{yaml}"))
}
