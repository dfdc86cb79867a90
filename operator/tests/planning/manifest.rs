//! What a person wrote: a manifest as YAML, and changes to it.

use serde_yaml::Value;

pub const MANIFEST: &str = r#"
apiVersion: millrace.dev/v1alpha1
kind: MaterializedView
metadata: {name: user-view, namespace: shop, uid: uid-1, generation: 1, finalizers: [millrace.dev/view]}
spec:
  sources:
  - name: users
    topic: user-events
    as: Table
    keyFormat: Text
    key: [id]
    columns:
    - {name: id, type: bigint, path: user.id}
    - {name: name, type: text, path: user.name}
    ensureTopic: {partitions: 2, replicas: 3, config: {min.insync.replicas: "2"}}
  query: SELECT id, name FROM users
  target: {schema: shop, name: user_view, readers: [dashboards]}
  rollout: {timeout: 2h, retainPrevious: 10m}
"#;

/// Writes `from` into it: the fields and items that it names, and no others.
pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Mapping(into), Value::Mapping(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        // The items of a list are the n-th and the n-th.
        (Value::Sequence(into), Value::Sequence(from)) => {
            into.iter_mut().zip(from).for_each(|(into, from)| merge(into, from));
        }
        (into, from) => *into = from,
    }
}
