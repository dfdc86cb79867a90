//! The Deployment of an app: the user's pod template, and what is added to it where it says nothing.

use super::{desired::Desired, name::AppName};
use crate::view::{observed::KafkaAddress, workers::MANAGED_BY};
use serde_json::{Map, Value, json};

pub const APP_LABEL: &str = "millrace.dev/app";
/// Changes when the instances must start again: the connection that they read at their start.
const CONNECTION: &str = "millrace.dev/connections";
const CA: &str = "millrace-kafka-ca";
const CA_FOLDER: &str = "/etc/millrace/kafka-ca";
const STATE: &str = "millrace-state";
const STATE_FOLDER: &str = "/var/lib/millrace/state";

/// The labels that select an app's pods.
pub fn selector(app: &AppName) -> String {
    format!("{APP_LABEL}={}", app.name)
}

/// The Deployment, as it is applied.
pub fn deployment(desired: &Desired, replicas: i32, kafka: &KafkaAddress) -> Value {
    let app = &desired.identity.name;
    let ours = json!({"app.kubernetes.io/managed-by": MANAGED_BY, APP_LABEL: app.name});
    let mut template = (*desired.template).clone();
    put(&mut template, &["metadata", "labels"], &ours);
    put(&mut template, &["metadata", "annotations"], &json!({CONNECTION: kafka.digest}));
    if let Some(pod) = template.get_mut("spec").and_then(Value::as_object_mut) {
        complete_pod(pod, desired, kafka);
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": app.deployment(),
            "namespace": app.namespace,
            "labels": ours,
            "ownerReferences": [owner(desired)],
        },
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
            "selector": {"matchLabels": {APP_LABEL: app.name}},
            "template": template,
        },
    })
}

/// What makes the API server delete an app's things with it.
fn owner(desired: &Desired) -> Value {
    json!({
        "apiVersion": format!("{}/{}", millrace_crds::GROUP, millrace_crds::VERSION),
        "kind": "StreamApp",
        "name": desired.identity.name.name,
        "uid": desired.identity.uid,
        "controller": true,
        "blockOwnerDeletion": false,
    })
}

/// Writes the fields of `fields` into the object at `path`, which is made if it is not there.
fn put(value: &mut Value, path: &[&str], fields: &Value) {
    let place = path.iter().fold(value, |place, name| {
        if !place.is_object() {
            *place = json!({});
        }
        &mut place[*name]
    });
    if !place.is_object() {
        *place = json!({});
    }
    if let (Some(place), Some(fields)) = (place.as_object_mut(), fields.as_object()) {
        place.extend(fields.clone());
    }
}

/// Gives `object` what it lacks of `defaults`, at every depth.
fn complete(object: &mut Map<String, Value>, defaults: &Value) {
    for (name, default) in defaults.as_object().into_iter().flatten() {
        match object.get_mut(name) {
            None => _ = object.insert(name.clone(), default.clone()),
            Some(Value::Object(inner)) => complete(inner, default),
            Some(_) => {}
        }
    }
}

/// The list of this name; one that is no list is left for the API server to refuse.
fn list<'a>(object: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Vec<Value>> {
    object.entry(name).or_insert_with(|| json!([])).as_array_mut()
}

fn complete_pod(pod: &mut Map<String, Value>, desired: &Desired, kafka: &KafkaAddress) {
    complete(
        pod,
        &json!({
            "enableServiceLinks": false,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {APP_LABEL: desired.identity.name.name}},
            }],
        }),
    );
    // Whoever names an account means its token.
    if !pod.contains_key("serviceAccountName") {
        complete(pod, &json!({"automountServiceAccountToken": false}));
    }
    let lost = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    if let Some(tolerations) = list(pod, "tolerations") {
        for key in lost {
            if !tolerations.iter().any(|toleration| toleration["key"] == key) {
                tolerations
                    .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 15}));
            }
        }
    }
    let mut mounts = Vec::new();
    let mut volumes = Vec::new();
    if kafka.ca.is_some()
        && let Some(secret) = &desired.identity.kafka_secret
    {
        mounts.push(json!({"name": CA, "mountPath": CA_FOLDER, "readOnly": true}));
        volumes.push(json!({"name": CA, "secret": {
            "secretName": secret, "defaultMode": 0o444, "items": [{"key": "ca.crt", "path": "ca.crt"}],
        }}));
    }
    if desired.internal.is_some() {
        mounts.push(json!({"name": STATE, "mountPath": STATE_FOLDER}));
        volumes.push(json!({"name": STATE, "emptyDir": {}}));
        // Whoever runs it can write there.
        complete(pod, &json!({"securityContext": {"fsGroup": 65532}}));
    }
    add_named(pod, "volumes", volumes);
    let env = environment(desired, kafka);
    for containers in ["initContainers", "containers"] {
        let containers = pod.get_mut(containers).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            complete(
                container,
                &json!({"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}),
            );
            add_named(container, "env", env.clone());
            add_named(container, "volumeMounts", mounts.clone());
        }
    }
}

/// Puts the items before those of the list, but for names that it has: a template's own stay as they are.
fn add_named(object: &mut Map<String, Value>, name: &str, items: Vec<Value>) {
    if items.is_empty() {
        return;
    }
    let Some(list) = list(object, name) else { return };
    let own: Vec<Value> = list.iter().map(|item| item["name"].clone()).collect();
    let missing: Vec<Value> = items.into_iter().filter(|item| !own.contains(&item["name"])).collect();
    list.splice(0..0, missing);
}

/// What every container is told: the contract of docs/streamapps.md.
fn environment(desired: &Desired, kafka: &KafkaAddress) -> Vec<Value> {
    let app = &desired.identity.name;
    let topics = |wishes: &[crate::view::desired::TopicWish]| {
        wishes.iter().map(|wish| wish.topic.as_str()).collect::<Vec<_>>().join(",")
    };
    let mut env = vec![
        json!({"name": "MILLRACE_NAMESPACE", "value": app.namespace}),
        json!({"name": "MILLRACE_APP", "value": app.name}),
        json!({"name": "MILLRACE_CONSUMER_GROUP", "value": desired.group}),
        json!({"name": "MILLRACE_INPUT_TOPICS", "value": topics(&desired.inputs)}),
        json!({"name": "MILLRACE_OUTPUT_TOPICS", "value": topics(&desired.outputs)}),
        json!({"name": "MILLRACE_CLIENT_ID", "valueFrom": {
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"},
        }}),
        json!({"name": "MILLRACE_BOOTSTRAP_SERVERS", "value": kafka.bootstrap_servers}),
        json!({"name": "MILLRACE_SECURITY_PROTOCOL", "value": kafka.security_protocol}),
    ];
    if let Some(secret) = &desired.identity.kafka_secret {
        for (variable, key) in [
            ("MILLRACE_SASL_MECHANISM", "sasl-mechanism"),
            ("MILLRACE_USERNAME", "username"),
            ("MILLRACE_PASSWORD", "password"),
        ] {
            let reference = json!({"name": secret, "key": key, "optional": true});
            env.push(json!({"name": variable, "valueFrom": {"secretKeyRef": reference}}));
        }
        if kafka.ca.is_some() {
            env.push(json!({"name": "MILLRACE_CA_FILE", "value": format!("{CA_FOLDER}/ca.crt")}));
        }
    }
    if desired.internal.is_some() {
        env.push(json!({"name": "MILLRACE_STATE_DIR", "value": STATE_FOLDER}));
    }
    env
}
