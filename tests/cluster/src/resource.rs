//! A resource of ours as a person sees it through kubectl.

use crate::shell::{eventually, kubectl};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

pub struct Resource {
    /// As kubectl calls it.
    kind: &'static str,
    /// The label by which its pods are known.
    label: &'static str,
    pub namespace: String,
    pub name: String,
}

impl Resource {
    pub fn new(kind: &'static str, label: &'static str, namespace: &str, name: &str) -> Resource {
        Resource { kind, label, namespace: namespace.into(), name: name.into() }
    }

    pub fn get(&self, path: &str) -> Result<String> {
        kubectl(&["-n", &self.namespace, "get", self.kind, &self.name, "-o", &format!("jsonpath={path}")])
    }

    pub fn status(&self) -> Result<serde_json::Value> {
        let text = kubectl(&["-n", &self.namespace, "get", self.kind, &self.name, "-o", "json"])?;
        let object: serde_json::Value = serde_json::from_str(&text)?;
        Ok(object["status"].clone())
    }

    /// (status, reason, message) of a condition; empty texts where it is absent.
    pub fn condition(&self, kind: &str) -> Result<(String, String, String)> {
        let status = self.status()?;
        let empty = Vec::new();
        let conditions = status["conditions"].as_array().unwrap_or(&empty);
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Ok(conditions
            .iter()
            .find(|condition| condition["type"] == kind)
            .map(|condition| (text(&condition["status"]), text(&condition["reason"]), text(&condition["message"])))
            .unwrap_or_default())
    }

    pub fn wait_ready(&self, limit: Duration) -> Result<()> {
        let timeout = format!("--timeout={}s", limit.as_secs());
        let object = format!("{}/{}", self.kind, self.name);
        kubectl(&["-n", &self.namespace, "wait", "--for=condition=Ready", &object, &timeout])
            .map(drop)
            .with_context(|| format!("status: {}", self.status().map(|status| status.to_string()).unwrap_or_default()))
    }

    pub fn wait_condition(&self, kind: &str, status: &str, reason: &str, limit: Duration) -> Result<String> {
        eventually(&format!("{} has {kind}={status} {reason}", self.name), limit, || {
            let found = self.condition(kind)?;
            ensure!((found.0.as_str(), found.1.as_str()) == (status, reason), "found {found:?}");
            Ok(found.2)
        })
    }

    pub fn patch(&self, patch: &str) -> Result<()> {
        kubectl(&["-n", &self.namespace, "patch", self.kind, &self.name, "--type", "merge", "-p", patch]).map(drop)
    }

    /// Sets an annotation, `key=value`, whatever it was before.
    pub fn annotate(&self, annotation: &str) -> Result<()> {
        kubectl(&["-n", &self.namespace, "annotate", "--overwrite", self.kind, &self.name, annotation]).map(drop)
    }

    /// The names of its running pods.
    pub fn pods(&self) -> Result<Vec<String>> {
        let selector = format!("{}={}", self.label, self.name);
        let list = kubectl(&[
            "-n",
            &self.namespace,
            "get",
            "pods",
            "-l",
            &selector,
            "--field-selector=status.phase=Running",
            "-o",
            "jsonpath={.items[*].metadata.name}",
        ])?;
        Ok(list.split_whitespace().map(str::to_owned).collect())
    }

    /// Deletes the resource and waits until it is gone; what it has made stays or goes as its deletionPolicy says.
    pub fn delete(&self) -> Result<()> {
        kubectl(&["-n", &self.namespace, "delete", self.kind, &self.name, "--ignore-not-found", "--timeout=120s"])
            .map(drop)
    }

    /// Whether the API server has it.
    pub fn exists(&self) -> Result<bool> {
        let found =
            kubectl(&["-n", &self.namespace, "get", self.kind, &self.name, "--ignore-not-found", "-o", "name"])?;
        Ok(!found.trim().is_empty())
    }
}
