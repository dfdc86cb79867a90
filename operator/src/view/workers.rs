//! The workers of a revision: how many, and the Deployment that runs them.

use super::{
    desired::{Desired, WorkerCount},
    name::{Revision, ViewName},
    observed::{KafkaAddress, PostgresAddress, RevisionRow},
    quantity,
};
use millrace_contract::ident::hex_digest;
use serde_json::{Map, Value, json};

pub const MANAGED_BY: &str = "millrace";
pub const VIEW_LABEL: &str = "millrace.dev/view";
pub const REVISION_LABEL: &str = "millrace.dev/revision";
/// Changes when the workers must start again: the connections that they read at their start.
const CONNECTIONS: &str = "millrace.dev/connections";
/// Digest of what was applied last: what is asked for no longer can be seen by nothing else.
const APPLIED: &str = "millrace.dev/applied";
const PORT: i32 = 8080;

/// How many workers `row` should have; `in_rollout`: it is built to go live.
pub fn replicas(desired: &Desired, row: &RevisionRow, in_rollout: bool) -> i32 {
    if desired.suspended || (desired.rollout.paused && in_rollout) { 0 } else { for_tasks(desired, row.tasks()) }
}

/// How many workers so many tasks have while nothing keeps them from working.
pub fn for_tasks(desired: &Desired, tasks: usize) -> i32 {
    match desired.workers.count {
        WorkerCount::Fixed(replicas) => replicas,
        WorkerCount::Auto { min, max } => i32::try_from(tasks).unwrap_or(i32::MAX).clamp(min, max.max(min)),
    }
}

/// The labels that select a revision's pods.
pub fn selector(view: &ViewName, revision: &Revision) -> String {
    format!("{VIEW_LABEL}={},{REVISION_LABEL}={revision}", view.name)
}

/// The Deployment of a revision, as it is applied.
pub fn deployment(
    desired: &Desired,
    revision: &Revision,
    replicas: i32,
    kafka: &KafkaAddress,
    postgres: &PostgresAddress,
    password_digest: &str,
) -> Value {
    let view = &desired.identity.name;
    let secret = view.secret();
    let selector = json!({VIEW_LABEL: view.name, REVISION_LABEL: revision.0});
    let labels = json!({
        "app.kubernetes.io/name": "millrace-worker",
        "app.kubernetes.io/managed-by": MANAGED_BY,
        VIEW_LABEL: view.name,
        REVISION_LABEL: revision.0,
    });
    let mut env = vec![
        json!({"name": "MILLRACE_NAMESPACE", "value": view.namespace}),
        json!({"name": "MILLRACE_VIEW", "value": view.name}),
        json!({"name": "MILLRACE_REVISION", "value": revision.0}),
        json!({"name": "MILLRACE_LISTEN", "value": format!("0.0.0.0:{PORT}")}),
        json!({"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}),
    ];
    for (variable, key) in [
        ("MILLRACE_POSTGRES_HOST", "host"),
        ("MILLRACE_POSTGRES_PORT", "port"),
        ("MILLRACE_POSTGRES_DATABASE", "dbname"),
        ("MILLRACE_POSTGRES_USERNAME", "username"),
        ("MILLRACE_POSTGRES_PASSWORD", "password"),
        ("MILLRACE_POSTGRES_SSLMODE", "sslmode"),
    ] {
        env.push(json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}));
    }
    let mut volumes = Vec::new();
    let mut mounts = Vec::new();
    let mut mount = |env: &mut Vec<Value>, variable: &str, name: &str, secret: &str, key: &str| {
        let path = format!("/etc/millrace/{name}");
        env.push(json!({"name": variable, "value": format!("{path}/ca.crt")}));
        volumes.push(json!({"name": name, "secret": {
            "secretName": secret, "defaultMode": 0o444, "items": [{"key": key, "path": "ca.crt"}],
        }}));
        mounts.push(json!({"name": name, "mountPath": path, "readOnly": true}));
    };
    if postgres.ca.is_some() {
        mount(&mut env, "MILLRACE_POSTGRES_CA_FILE", "postgres-ca", &secret, "ca.crt");
    }
    match &desired.identity.kafka_secret {
        None => {
            env.push(json!({"name": "MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "value": kafka.bootstrap_servers}));
            env.push(json!({"name": "MILLRACE_KAFKA_SECURITY_PROTOCOL", "value": kafka.security_protocol}));
            if kafka.ca.is_some() {
                mount(&mut env, "MILLRACE_KAFKA_CA_FILE", "kafka-ca", &secret, "kafka-ca.crt");
            }
        }
        Some(own) => {
            for (variable, key, required) in [
                ("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "bootstrap-servers", true),
                ("MILLRACE_KAFKA_SECURITY_PROTOCOL", "security-protocol", false),
                ("MILLRACE_KAFKA_SASL_MECHANISM", "sasl-mechanism", false),
                ("MILLRACE_KAFKA_USERNAME", "username", false),
                ("MILLRACE_KAFKA_PASSWORD", "password", false),
            ] {
                let mut reference = json!({"name": own, "key": key});
                if !required {
                    reference["optional"] = json!(true);
                }
                env.push(json!({"name": variable, "valueFrom": {"secretKeyRef": reference}}));
            }
            if kafka.ca.is_some() {
                mount(&mut env, "MILLRACE_KAFKA_CA_FILE", "kafka-ca", own, "ca.crt");
            }
        }
    }
    let connections = hex_digest(
        [
            kafka.digest.as_str(),
            &postgres.host,
            &postgres.port.to_string(),
            &postgres.database,
            &postgres.ssl_mode,
            postgres.ca.as_deref().unwrap_or_default(),
            password_digest,
        ],
        16,
    );
    let toleration =
        |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 15});
    let mut pod = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"},
        },
        // A lost node's partitions are taken over by the others at once; a lone worker starts elsewhere this soon.
        "tolerations": [toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable")],
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
        }],
        "containers": [{
            "name": "worker",
            "image": desired.image.name,
            "imagePullPolicy": desired.image.pull_policy,
            "env": env,
            "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
            "resources": desired.workers.resources,
            "readinessProbe": {
                "httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 2, "timeoutSeconds": 2,
            },
            "livenessProbe": {
                "httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10, "timeoutSeconds": 5,
                "failureThreshold": 6,
            },
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            },
        }],
    });
    if !volumes.is_empty() {
        pod["volumes"] = Value::from(volumes);
        pod["containers"][0]["volumeMounts"] = Value::from(mounts);
    }
    let mut manifest = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": view.deployment(revision),
            "namespace": view.namespace,
            "labels": labels,
            "ownerReferences": [owner(desired)],
        },
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": labels, "annotations": {CONNECTIONS: connections}}, "spec": pod},
        },
    });
    note_applied(&mut manifest);
    manifest
}

fn note_applied(manifest: &mut Value) {
    manifest["metadata"]["annotations"] = json!({});
    manifest["metadata"]["annotations"] = json!({APPLIED: hex_digest([manifest.to_string().as_str()], 16)});
}

/// Leaves the pods of `manifest` on the connections that those of `found` were started with.
pub fn keep_connections(manifest: &mut Value, found: &Value) {
    let kept = &found["spec"]["template"]["metadata"]["annotations"][CONNECTIONS];
    if kept.is_string() {
        manifest["spec"]["template"]["metadata"]["annotations"][CONNECTIONS] = kept.clone();
        note_applied(manifest);
    }
}

/// What makes the API server delete a view's things with it.
pub fn owner(desired: &Desired) -> Value {
    json!({
        "apiVersion": format!("{}/{}", millrace_crds::GROUP, millrace_crds::VERSION),
        "kind": "MaterializedView",
        "name": desired.identity.name.name,
        "uid": desired.identity.uid,
        "controller": true,
        "blockOwnerDeletion": false,
    })
}

/// Whether everything in `wanted` is in `found`, which may have more: defaults, and what others set. Items of a list
/// are found by their name where they have one, amounts are compared by value, and what is empty may be left out.
pub fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted.iter().all(|(key, value)| match found.get(key) {
            Some(other) if ["requests", "limits"].contains(&key.as_str()) => contains_amounts(other, value),
            Some(other) => contains(other, value),
            None => value.as_object().is_some_and(Map::is_empty),
        }),
        (Value::Array(found), Value::Array(wanted)) => {
            let named = !wanted.is_empty() && wanted.iter().all(|item| item.get("name").is_some());
            if named {
                wanted.iter().all(|item| {
                    found.iter().any(|other| other.get("name") == item.get("name") && contains(other, item))
                })
            } else {
                found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| contains(found, wanted))
            }
        }
        (found, wanted) => found == wanted,
    }
}

fn contains_amounts(found: &Value, wanted: &Value) -> bool {
    let (Some(found), Some(wanted)) = (found.as_object(), wanted.as_object()) else { return found == wanted };
    wanted.iter().all(|(resource, amount)| match (found.get(resource), amount) {
        (Some(Value::String(found)), Value::String(wanted)) => quantity::same(found, wanted),
        (found, wanted) => found == Some(wanted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_add_is_no_difference_and_what_they_change_is() {
        let wanted = json!({"spec": {"env": [{"name": "A", "value": "1"}], "command": ["x"]}});
        let check = |found: Value| contains(&found, &wanted);
        assert!(check(
            json!({"spec": {"env": [{"name": "B"}, {"name": "A", "value": "1"}], "command": ["x"]}, "status": 1})
        ));
        assert!(!check(json!({"spec": {"env": [{"name": "A", "value": "2"}], "command": ["x"]}})));
        assert!(!check(json!({"spec": {"env": [{"name": "A", "value": "1"}], "command": ["x", "y"]}})));
        assert!(!check(json!({"spec": {"command": ["x"]}})));
    }

    #[test]
    fn amounts_are_as_the_api_server_writes_them() {
        let with = |resources: Value| json!({"containers": [{"name": "worker", "resources": resources}]});
        let wanted = with(json!({"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {}}));
        let answered = |cpu: &str| with(json!({"requests": {"cpu": cpu, "memory": "1Gi"}}));
        assert!(contains(&answered("500m"), &wanted));
        assert!(!contains(&answered("600m"), &wanted));
        assert!(!contains(&with(json!({})), &wanted));
    }

    #[test]
    fn what_is_asked_for_no_longer_is_a_difference() {
        let with = |limits: Value| {
            let mut manifest = json!({"metadata": {"name": "w"}, "spec": {"resources": {"limits": limits}}});
            note_applied(&mut manifest);
            manifest
        };
        let (both, memory) = (with(json!({"cpu": "1", "memory": "1Gi"})), with(json!({"memory": "1Gi"})));
        assert!(contains(&both, &both));
        assert!(!contains(&both, &memory));
        let mut again = memory.clone();
        note_applied(&mut again);
        assert_eq!(again, memory);
    }

    #[test]
    fn connections_are_kept_where_there_are_some() {
        let with = |connections: &str| {
            let metadata = json!({"annotations": {CONNECTIONS: connections}});
            json!({"spec": {"template": {"metadata": metadata}}})
        };
        let mut manifest = with("new");
        keep_connections(&mut manifest, &json!({"spec": {}}));
        assert_eq!(manifest, with("new"));
        keep_connections(&mut manifest, &with("old"));
        assert!(contains(&manifest, &with("old")));
    }
}
