//! The Secret that a view's workers log in to Postgres with.

use super::{super::connections::text_of, super::postgres::digest, FIELD_MANAGER, trouble};
use crate::view::{
    action::Login,
    desired::{Desired, Identity},
    observed::{PostgresAddress, WorkerSecret},
    trouble::Trouble,
    workers::{MANAGED_BY, VIEW_LABEL, owner},
};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

const CATALOG_ID: &str = "millrace.dev/catalog-id";
const KAFKA_CA: &str = "kafka-ca.crt";

/// What planning needs of the Secret.
pub fn read(view: &Identity, secret: &Secret) -> WorkerSecret {
    let mut data = text_of(secret);
    let mut take = |key: &str| data.remove(key);
    WorkerSecret {
        address: PostgresAddress {
            host: take("host").unwrap_or_default(),
            port: take("port").and_then(|port| port.parse().ok()).unwrap_or_default(),
            database: take("dbname").unwrap_or_default(),
            ssl_mode: take("sslmode").unwrap_or_default(),
            ca: take("ca.crt"),
        },
        username: take("username").unwrap_or_default(),
        password_digest: digest(view, &take("password").unwrap_or_default()),
        kafka_ca: take(KAFKA_CA),
        catalog_id: secret.annotations().get(CATALOG_ID).cloned(),
    }
}

/// Applies the Secret with the password that it has, or a new one; gives the password.
pub async fn apply_login(client: &Client, desired: &Desired, login: &Login) -> Result<String, Trouble> {
    let view = &desired.identity;
    let name = view.name.secret();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &view.name.namespace);
    let there = secrets.get_opt(&name).await.map_err(|error| trouble(&format!("give the Secret {name}"), &error))?;
    let password = there
        .and_then(|secret| text_of(&secret).remove("password"))
        .filter(|password| !password.is_empty())
        .unwrap_or_else(new_password);
    let Login { address, username, kafka_ca, catalog_id } = login;
    let mut data = json!({
        "host": address.host,
        "port": address.port.to_string(),
        "dbname": address.database,
        "username": username,
        "password": password,
        "sslmode": address.ssl_mode,
    });
    for (key, value) in [("ca.crt", &address.ca), (KAFKA_CA, kafka_ca)] {
        if let Some(value) = value {
            data[key] = json!(value);
        }
    }
    let manifest = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": view.name.namespace,
            "labels": {"app.kubernetes.io/managed-by": MANAGED_BY, VIEW_LABEL: view.name.name},
            "annotations": {CATALOG_ID: catalog_id},
            "ownerReferences": [owner(desired)],
        },
        "type": "Opaque",
        "stringData": data,
    });
    secrets
        .patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(manifest))
        .await
        .map_err(|error| trouble(&format!("take the Secret {name}"), &error))?;
    Ok(password)
}

/// 256 random bits.
fn new_password() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
