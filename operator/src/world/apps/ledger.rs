//! The ConfigMap that an app's replays are written down in. It is nobody's child: a resource that is deleted and made
//! again finds which replays have acted, and where its group was.

use super::super::{
    Performed,
    cluster::{is_another, trouble},
};
use crate::{
    app::{desired::Desired, observed::Ledger, workload::APP_LABEL},
    view::{trouble::Trouble, workers::MANAGED_BY},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, PostParams, Preconditions},
};
use millrace_crds::AppReplayStatus;
use serde_json::json;

const GROUP: &str = "group";
const REPLAYS: &str = "replays";

fn api(client: &Client, desired: &Desired) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), &desired.identity.name.namespace)
}

pub async fn find(client: &Client, desired: &Desired) -> kube::Result<Option<Ledger>> {
    let name = &desired.identity.name;
    let Some(found) = api(client, desired).get_opt(&name.ledger()).await? else { return Ok(None) };
    let label = |key: &str, value: &str| found.labels().get(key).is_some_and(|found| found == value);
    let data = found.data.clone().unwrap_or_default();
    let replays = data.get(REPLAYS).map_or("[]", String::as_str);
    Ok(Some(Ledger {
        resource_version: found.resource_version().unwrap_or_default(),
        ours: label("app.kubernetes.io/managed-by", MANAGED_BY) && label(APP_LABEL, &name.name),
        group: data.get(GROUP).cloned().unwrap_or_default(),
        replays: serde_json::from_str(replays).map_err(|error| error.to_string()),
    }))
}

pub async fn version(client: &Client, desired: &Desired) -> Result<Option<String>, Trouble> {
    let found = find(client, desired).await.map_err(|error| trouble("show what is written down of replays", &error))?;
    Ok(found.map(|found| found.resource_version))
}

/// In place of the one that was seen, or where there is none.
pub async fn write(
    client: &Client,
    desired: &Desired,
    replays: &[AppReplayStatus],
    seen: Option<&str>,
) -> Result<Performed, Trouble> {
    let name = desired.identity.name.ledger();
    let refused = |error: &dyn std::fmt::Display| {
        Trouble::cluster(
            millrace_crds::Reason::Unknown,
            format!("what is written down of replays could not be changed in the ConfigMap {name}: {error}"),
        )
    };
    let text = serde_json::to_string(replays).map_err(|error| refused(&error))?;
    let manifest: ConfigMap = serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "namespace": desired.identity.name.namespace,
            "labels": {"app.kubernetes.io/managed-by": MANAGED_BY, APP_LABEL: desired.identity.name.name},
            "resourceVersion": seen,
        },
        "data": {GROUP: desired.group, REPLAYS: text},
    }))
    .map_err(|error| refused(&error))?;
    let (maps, params) = (api(client, desired), PostParams::default());
    let written = match seen {
        Some(_) => maps.replace(&name, &params, &manifest).await,
        None => maps.create(&params, &manifest).await,
    };
    match written {
        Ok(_) => Ok(Performed::Done),
        Err(error) if is_another(&error) => {
            Ok(Performed::NotYet(format!("another look: the ConfigMap {name} has changed")))
        }
        Err(error) => Err(refused(&error)),
    }
}

pub async fn delete(client: &Client, desired: &Desired, version: &str) -> Result<Performed, Trouble> {
    let name = desired.identity.name.ledger();
    let only = DeleteParams {
        preconditions: Some(Preconditions { uid: None, resource_version: Some(version.to_owned()) }),
        ..DeleteParams::default()
    };
    match api(client, desired).delete(&name, &only).await {
        Ok(_) => Ok(Performed::Done),
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(Performed::Done),
        Err(error) if is_another(&error) => {
            Ok(Performed::NotYet(format!("another look: the ConfigMap {name} has changed")))
        }
        Err(error) => Err(trouble(&format!("delete the ConfigMap {name}"), &error)),
    }
}
