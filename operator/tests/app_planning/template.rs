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
    expect![[r#"
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          labels:
            app.kubernetes.io/managed-by: millrace
            millrace.dev/app: inventory
          name: inventory-app
          namespace: shop
          ownerReferences:
          - apiVersion: millrace.dev/v1alpha1
            blockOwnerDeletion: false
            controller: true
            kind: StreamApp
            name: inventory
            uid: uid-1
        spec:
          replicas: 2
          revisionHistoryLimit: 2
          selector:
            matchLabels:
              millrace.dev/app: inventory
          strategy:
            rollingUpdate:
              maxSurge: 1
              maxUnavailable: 1
            type: RollingUpdate
          template:
            metadata:
              annotations:
                millrace.dev/connections: k
              labels:
                app.kubernetes.io/managed-by: millrace
                millrace.dev/app: inventory
            spec:
              automountServiceAccountToken: false
              containers:
              - env:
                - name: MILLRACE_NAMESPACE
                  value: shop
                - name: MILLRACE_APP
                  value: inventory
                - name: MILLRACE_CONSUMER_GROUP
                  value: inventory
                - name: MILLRACE_INPUT_TOPICS
                  value: order-events
                - name: MILLRACE_OUTPUT_TOPICS
                  value: inventory-events
                - name: MILLRACE_CLIENT_ID
                  valueFrom:
                    fieldRef:
                      apiVersion: v1
                      fieldPath: metadata.name
                - name: MILLRACE_BOOTSTRAP_SERVERS
                  value: kafka:9092
                - name: MILLRACE_SECURITY_PROTOCOL
                  value: PLAINTEXT
                image: registry.example.com/inventory:1.0
                name: inventory
                securityContext:
                  allowPrivilegeEscalation: false
                  capabilities:
                    drop:
                    - ALL
              enableServiceLinks: false
              securityContext:
                runAsNonRoot: true
                seccompProfile:
                  type: RuntimeDefault
              tolerations:
              - effect: NoExecute
                key: node.kubernetes.io/not-ready
                operator: Exists
                tolerationSeconds: 15
              - effect: NoExecute
                key: node.kubernetes.io/unreachable
                operator: Exists
                tolerationSeconds: 15
              topologySpreadConstraints:
              - labelSelector:
                  matchLabels:
                    millrace.dev/app: inventory
                maxSkew: 1
                topologyKey: kubernetes.io/hostname
                whenUnsatisfiable: ScheduleAnyway
    "#]]
    .assert_eq(&applied("spec: {}", &kafka_address()));
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
    expect![[r#"
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          labels:
            app.kubernetes.io/managed-by: millrace
            millrace.dev/app: inventory
          name: inventory-app
          namespace: shop
          ownerReferences:
          - apiVersion: millrace.dev/v1alpha1
            blockOwnerDeletion: false
            controller: true
            kind: StreamApp
            name: inventory
            uid: uid-1
        spec:
          replicas: 2
          revisionHistoryLimit: 2
          selector:
            matchLabels:
              millrace.dev/app: inventory
          strategy:
            rollingUpdate:
              maxSurge: 1
              maxUnavailable: 1
            type: RollingUpdate
          template:
            metadata:
              annotations:
                millrace.dev/connections: k
              labels:
                app.kubernetes.io/managed-by: millrace
                millrace.dev/app: inventory
                team: 개발팀
            spec:
              containers:
              - env:
                - name: MILLRACE_NAMESPACE
                  value: shop
                - name: MILLRACE_APP
                  value: inventory
                - name: MILLRACE_INPUT_TOPICS
                  value: order-events
                - name: MILLRACE_OUTPUT_TOPICS
                  value: inventory-events
                - name: MILLRACE_CLIENT_ID
                  valueFrom:
                    fieldRef:
                      apiVersion: v1
                      fieldPath: metadata.name
                - name: MILLRACE_BOOTSTRAP_SERVERS
                  value: kafka:9092
                - name: MILLRACE_SECURITY_PROTOCOL
                  value: SASL_SSL
                - name: MILLRACE_SASL_MECHANISM
                  valueFrom:
                    secretKeyRef:
                      key: sasl-mechanism
                      name: shop-kafka
                      optional: true
                - name: MILLRACE_USERNAME
                  valueFrom:
                    secretKeyRef:
                      key: username
                      name: shop-kafka
                      optional: true
                - name: MILLRACE_PASSWORD
                  valueFrom:
                    secretKeyRef:
                      key: password
                      name: shop-kafka
                      optional: true
                - name: MILLRACE_CA_FILE
                  value: /etc/millrace/kafka-ca/ca.crt
                - name: MILLRACE_STATE_DIR
                  value: /var/lib/millrace/state
                - name: MILLRACE_CONSUMER_GROUP
                  value: 홍길동
                - name: OWN
                  value: '1'
                image: registry.example.com/inventory:1.0
                name: inventory
                securityContext:
                  allowPrivilegeEscalation: false
                  capabilities:
                    add:
                    - NET_BIND_SERVICE
                    drop:
                    - ALL
                volumeMounts:
                - mountPath: /etc/millrace/kafka-ca
                  name: millrace-kafka-ca
                  readOnly: true
                - mountPath: /var/lib/millrace/state
                  name: millrace-state
              enableServiceLinks: false
              initContainers:
              - env:
                - name: MILLRACE_NAMESPACE
                  value: shop
                - name: MILLRACE_APP
                  value: inventory
                - name: MILLRACE_CONSUMER_GROUP
                  value: inventory
                - name: MILLRACE_INPUT_TOPICS
                  value: order-events
                - name: MILLRACE_OUTPUT_TOPICS
                  value: inventory-events
                - name: MILLRACE_CLIENT_ID
                  valueFrom:
                    fieldRef:
                      apiVersion: v1
                      fieldPath: metadata.name
                - name: MILLRACE_BOOTSTRAP_SERVERS
                  value: kafka:9092
                - name: MILLRACE_SECURITY_PROTOCOL
                  value: SASL_SSL
                - name: MILLRACE_SASL_MECHANISM
                  valueFrom:
                    secretKeyRef:
                      key: sasl-mechanism
                      name: shop-kafka
                      optional: true
                - name: MILLRACE_USERNAME
                  valueFrom:
                    secretKeyRef:
                      key: username
                      name: shop-kafka
                      optional: true
                - name: MILLRACE_PASSWORD
                  valueFrom:
                    secretKeyRef:
                      key: password
                      name: shop-kafka
                      optional: true
                - name: MILLRACE_CA_FILE
                  value: /etc/millrace/kafka-ca/ca.crt
                - name: MILLRACE_STATE_DIR
                  value: /var/lib/millrace/state
                image: busybox
                name: wait
                securityContext:
                  allowPrivilegeEscalation: false
                  capabilities:
                    drop:
                    - ALL
                volumeMounts:
                - mountPath: /etc/millrace/kafka-ca
                  name: millrace-kafka-ca
                  readOnly: true
                - mountPath: /var/lib/millrace/state
                  name: millrace-state
              securityContext:
                fsGroup: 65532
                runAsNonRoot: true
                runAsUser: 1000
                seccompProfile:
                  localhostProfile: mine
                  type: Localhost
              serviceAccountName: inventory
              tolerations:
              - effect: NoExecute
                key: node.kubernetes.io/not-ready
                operator: Exists
                tolerationSeconds: 300
              - effect: NoExecute
                key: node.kubernetes.io/unreachable
                operator: Exists
                tolerationSeconds: 15
              topologySpreadConstraints: []
              volumes:
              - name: millrace-kafka-ca
                secret:
                  defaultMode: 292
                  items:
                  - key: ca.crt
                    path: ca.crt
                  secretName: shop-kafka
              - name: millrace-state
                persistentVolumeClaim:
                  claimName: mine
    "#]]
    .assert_eq(&applied(ask, &secured));
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
