//! What is added to a pod template, and what is left as it was written.

use crate::scene::{kafka_address, running};
use expect_test::expect;
use millrace_operator::{app::workload::deployment, view::observed::KafkaAddress};
use serde_json::Value;

fn applied(ask: &str, kafka: &KafkaAddress) -> String {
    let manifest = deployment(&running().ask(ask).desired(), 2, kafka);
    serde_yaml::to_string(&manifest).expect("a manifest is YAML")
}

#[test]
fn a_small_template_is_given_what_it_lacks() {
    expect![[""]].assert_eq(&applied("spec: {}", &kafka_address()));
}

#[test]
fn what_a_template_says_stays() {
    let ask = "
spec:
  internalTopics: {prefix: inventory-}
  kafka: {secretRef: {name: shop-kafka}}
  podTemplate:
    metadata: {labels: {team: 개발팀, millrace.dev/app: other}}
    spec:
      serviceAccountName: inventory
      securityContext: {runAsUser: 1000, seccompProfile: {type: Localhost, localhostProfile: mine}}
      tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}]
      topologySpreadConstraints: []
      volumes: [{name: millrace-state, persistentVolumeClaim: {claimName: mine}}]
      initContainers: [{name: wait, image: busybox}]
      containers:
      - name: inventory
        image: registry.example.com/inventory:1.0
        env: [{name: MILLRACE_CONSUMER_GROUP, value: 홍길동}, {name: OWN, value: '1'}]
        securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}
";
    let secured = KafkaAddress { ca: Some("PEM".into()), security_protocol: "SASL_SSL".into(), ..kafka_address() };
    expect![[""]].assert_eq(&applied(ask, &secured));
}

#[test]
fn a_template_of_another_shape_is_left_for_the_api_server_to_refuse() {
    let mut desired = running().desired();
    let mut template: Value = (*desired.template).clone();
    template["spec"]["containers"] = "none".into();
    template["spec"]["tolerations"] = 5.into();
    template["metadata"] = "nothing".into();
    desired.template = template.into();
    let manifest = deployment(&desired, 1, &kafka_address());
    assert_eq!(manifest["spec"]["template"]["spec"]["containers"], "none");
    assert_eq!(manifest["spec"]["template"]["metadata"]["labels"]["millrace.dev/app"], "inventory");
}
