//! Manifests of the tests' own views.

/// A view in namespace `shop` over one topic of JSON records `{"id", "부서": …, "amount"}` read as a Table.
pub fn table_view(name: &str, topic: &str, partitions: i32, query: &str) -> String {
    format!(
        r#"
apiVersion: millrace.dev/v1alpha1
kind: MaterializedView
metadata: {{name: {name}, namespace: shop}}
spec:
  sources:
  - name: items
    topic: {topic}
    as: Table
    format: Json
    keyFormat: Text
    key: [id]
    columns:
    - {{name: id, type: text}}
    - {{name: team, type: text, path: 부서}}
    - {{name: amount, type: bigint}}
    ensureTopic: {{partitions: {partitions}, replicas: 3, config: {{min.insync.replicas: "2"}}}}
  query: |
    {query}
  target: {{schema: shop, name: {}}}
"#,
        name.replace('-', "_")
    )
}

/// A record of such a topic.
pub fn item(id: &str, team: &str, amount: i64) -> String {
    serde_json::json!({"id": id, "부서": team, "amount": amount}).to_string()
}
