{{/* server.properties without what kafka.config adds or replaces. ${NAME} is filled in by the image from the pod's environment. */}}
{{- define "millrace.kafkaDefaults" -}}
{{- $domain := printf "kafka-headless.%s.svc" .Release.Namespace -}}
{{- $secure := .Values.kafka.secure.enabled -}}
{{- $outside := .Values.hostAccess.enabled -}}
process.roles: broker,controller
node.id: ${KAFKA_NODE_ID}
controller.quorum.voters: 0@kafka-0.{{ $domain }}:9093,1@kafka-1.{{ $domain }}:9093,2@kafka-2.{{ $domain }}:9093
controller.listener.names: CONTROLLER
inter.broker.listener.name: INTERNAL
listeners: INTERNAL://:9092,CONTROLLER://:9093{{ if $secure }},SECURE://:9094{{ end }}{{ if $outside }},OUTSIDE://:9095{{ end }}
advertised.listeners: INTERNAL://${POD_NAME}.{{ $domain }}:9092{{ if $secure }},SECURE://${POD_NAME}.{{ $domain }}:9094{{ end }}{{ if $outside }},OUTSIDE://{{ .Values.hostAccess.kafka.host }}:${KAFKA_EXTERNAL_PORT}{{ end }}
listener.security.protocol.map: INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT{{ if $secure }},SECURE:SASL_SSL{{ end }}{{ if $outside }},OUTSIDE:PLAINTEXT{{ end }}
{{- if $secure }}
sasl.enabled.mechanisms: SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config: org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.ssl.keystore.type: PEM
listener.name.secure.ssl.keystore.location: /tmp/keystore.pem
{{- end }}
log.dirs: /var/lib/kafka/log
auto.create.topics.enable: "false"
default.replication.factor: "3"
min.insync.replicas: "2"
offsets.topic.replication.factor: "3"
offsets.topic.num.partitions: "12"
transaction.state.log.replication.factor: "3"
transaction.state.log.min.isr: "2"
transaction.state.log.num.partitions: "12"
share.coordinator.state.topic.replication.factor: "3"
share.coordinator.state.topic.min.isr: "2"
share.coordinator.state.topic.num.partitions: "3"
log.retention.hours: "168"
group.initial.rebalance.delay.ms: "0"
broker.heartbeat.interval.ms: "1000"
broker.session.timeout.ms: "6000"
leader.imbalance.check.interval.seconds: "60"
num.network.threads: "3"
num.io.threads: "4"
log.cleaner.dedupe.buffer.size: "16777216"
{{- end }}

{{- define "millrace.kafkaProperties" -}}
{{- $properties := mergeOverwrite (include "millrace.kafkaDefaults" . | fromYaml) .Values.kafka.config -}}
{{- range $name := keys $properties | sortAlpha }}
{{ $name }}={{ get $properties $name }}
{{- end }}
{{- end }}
