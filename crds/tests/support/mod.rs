//! Manifests as text, and the API server's answers to them.

use std::path::{Path, PathBuf};

use kube::Client;
use millrace_apiserver::ApiServer;
use serde_json::Value;

pub const VIEWS: &str = "/apis/millrace.dev/v1alpha1/namespaces/shop/materializedviews";
pub const APPS: &str = "/apis/millrace.dev/v1alpha1/namespaces/shop/streamapps";
pub const QUESTIONS: &str = "/apis/millrace.dev/v1alpha1/namespaces/shop/rolloutplans";

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of a YAML text, as JSON.
pub fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize;
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{error} in\n{text}")))
        .collect()
}

/// The path of the resources of a manifest's kind.
pub fn path_of(manifest: &Value) -> &'static str {
    match manifest["kind"].as_str() {
        Some("RolloutPlan") => QUESTIONS,
        Some("StreamApp") => APPS,
        _ => VIEWS,
    }
}

/// An API server that knows our resources, with the namespace `shop`.
pub async fn api_server() -> ApiServer {
    let server = ApiServer::start().await.unwrap_or_else(|error| panic!("{error}"));
    for (definition, _) in millrace_crds::definition::all() {
        server
            .create_definition(&definition)
            .await
            .unwrap_or_else(|error| panic!("the API server refuses the definition: {error:?}"));
    }
    let shop = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    send(&server.client(), "POST", "/api/v1/namespaces", &shop).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    server
}

/// Sends a manifest as kubectl does, and returns the object that comes back, or the sentences of the refusal.
pub async fn send(client: &Client, method: &str, path: &str, manifest: &Value) -> Result<Value, Vec<String>> {
    let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("Content-Type", content)
        .body(manifest.to_string().into_bytes())
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    match client.request::<Value>(request).await {
        Ok(object) => Ok(object),
        Err(kube::Error::Api(status)) => Err(sentences(&status)),
        Err(error) => panic!("{method} {path}: {error:?}"),
    }
}

fn sentences(status: &kube::core::Status) -> Vec<String> {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    if causes.is_empty() {
        return vec![status.message.clone()];
    }
    let mut sentences: Vec<String> = causes
        .iter()
        // What the API server adds when it has left our own rules out because of another mistake.
        .filter(|cause| !cause.message.contains("some validation rules were not checked"))
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect();
    sentences.sort();
    sentences
}
