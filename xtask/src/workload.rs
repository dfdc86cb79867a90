//! A Deployment or StatefulSet, as far as it takes to know whether its newest template is running.

use std::fmt;

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct List {
    items: Vec<Workload>,
}

#[derive(Debug, Deserialize)]
pub struct Workload {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    generation: i64,
}

#[derive(Debug, Deserialize)]
struct Spec {
    replicas: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    replicas: i64,
    updated_replicas: i64,
    ready_replicas: i64,
}

pub fn parse_workloads(text: &str) -> Result<Vec<Workload>> {
    Ok(serde_json::from_str::<List>(text).context("kubectl describes workloads in an unknown way")?.items)
}

impl Workload {
    /// A pod of an older template that still runs is not ready: it would answer for the new one.
    pub fn is_ready(&self) -> bool {
        let Self { metadata, spec, status } = self;
        let &Status { observed_generation, replicas, updated_replicas, ready_replicas } = status;
        observed_generation >= metadata.generation
            && [replicas, updated_replicas, ready_replicas].iter().all(|&count| count == spec.replicas)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { updated_replicas, ready_replicas, .. } = self.status;
        write!(formatter, "{} {}/{}", self.metadata.name, ready_replicas.min(updated_replicas), self.spec.replicas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: &str, ready: bool, shown: &str) {
        let text = format!(
            r#"{{"items": [{{"metadata": {{"name": "kafka", "generation": 2}}, "spec": {{"replicas": 3}}, "status": {status}}}]}}"#
        );
        let workloads = parse_workloads(&text).unwrap();
        assert_eq!(workloads[0].is_ready(), ready, "{status}");
        assert_eq!(workloads[0].to_string(), shown, "{status}");
    }

    #[test]
    fn a_workload_is_ready_when_all_replicas_run_its_newest_template() {
        check(
            r#"{"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}"#,
            true,
            "kafka 3/3",
        );
        check(
            r#"{"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}"#,
            false,
            "kafka 3/3",
        );
        check(
            r#"{"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 3}"#,
            false,
            "kafka 1/3",
        );
        check(
            r#"{"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "readyReplicas": 3}"#,
            false,
            "kafka 3/3",
        );
        check("{}", false, "kafka 0/3");
    }
}
