{{/* How the operator reaches Kafka and Postgres: environment, volumes and mounts; wrong combinations of values fail here. */}}

{{- define "millrace.checkValues" -}}
{{- if not .Values.kafka.enabled -}}
  {{- if not (or .Values.externalKafka.bootstrapServers .Values.externalKafka.secretName) -}}
    {{- fail "kafka.enabled is false and externalKafka is empty: set externalKafka.bootstrapServers, or externalKafka.secretName to a Secret with the key bootstrap-servers" -}}
  {{- end -}}
{{- else if or .Values.externalKafka.bootstrapServers .Values.externalKafka.secretName -}}
  {{- fail "kafka.enabled is true and externalKafka is set: which of the two is meant? Set kafka.enabled=false to use the existing Kafka" -}}
{{- end -}}
{{- if and .Values.externalKafka.ca (not .Values.externalKafka.secretName) -}}
  {{- fail "externalKafka.ca is true and externalKafka.secretName is empty: name the Secret whose ca.crt is meant" -}}
{{- end -}}
{{- if not .Values.postgres.enabled -}}
  {{- if not .Values.externalPostgres.secretName -}}
    {{- fail "postgres.enabled is false and externalPostgres.secretName is empty: name a Secret with host, port, dbname, username, password" -}}
  {{- end -}}
{{- else if .Values.externalPostgres.secretName -}}
  {{- fail "postgres.enabled is true and externalPostgres.secretName is set: which of the two is meant? Set postgres.enabled=false to use the existing Postgres" -}}
{{- end -}}
{{- with .Values.kafka.secure -}}
  {{- if and .enabled (not (and .tlsSecret .credentialsSecret)) -}}
    {{- fail "kafka.secure.enabled is true: set kafka.secure.tlsSecret (tls.crt, tls.key, ca.crt) and kafka.secure.credentialsSecret (username, password)" -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.postgres.tls.required (not .Values.postgres.tls.secretName) -}}
  {{- fail "postgres.tls.required is true and postgres.tls.secretName is empty: name the Secret with tls.crt, tls.key, ca.crt" -}}
{{- end -}}
{{- end }}

{{- define "millrace.kafkaEnvironment" -}}
{{- $external := .Values.externalKafka -}}
{{- if .Values.kafka.enabled }}
- {name: MILLRACE_KAFKA_BOOTSTRAP_SERVERS, value: {{ include "millrace.kafkaServers" . | quote }}}
{{- else }}
{{- if $external.bootstrapServers }}
- {name: MILLRACE_KAFKA_BOOTSTRAP_SERVERS, value: {{ $external.bootstrapServers | quote }}}
{{- else }}
{{ include "millrace.fromSecret" (list "MILLRACE_KAFKA_BOOTSTRAP_SERVERS" $external.secretName "bootstrap-servers" false) }}
{{- end }}
{{- if $external.secretName }}
{{ include "millrace.fromSecret" (list "MILLRACE_KAFKA_SECURITY_PROTOCOL" $external.secretName "security-protocol" true) }}
{{ include "millrace.fromSecret" (list "MILLRACE_KAFKA_SASL_MECHANISM" $external.secretName "sasl-mechanism" true) }}
{{ include "millrace.fromSecret" (list "MILLRACE_KAFKA_USERNAME" $external.secretName "username" true) }}
{{ include "millrace.fromSecret" (list "MILLRACE_KAFKA_PASSWORD" $external.secretName "password" true) }}
{{- end }}
{{- if $external.ca }}
- {name: MILLRACE_KAFKA_CA_FILE, value: /etc/millrace/kafka/ca.crt}
{{- end }}
{{- end }}
{{- end }}

{{/* The Secret with the ca.crt that Postgres is checked against; empty when none is. */}}
{{- define "millrace.postgresCaSecret" -}}
{{- if .Values.postgres.enabled }}{{ .Values.postgres.tls.secretName }}{{ else if .Values.externalPostgres.ca }}{{ .Values.externalPostgres.secretName }}{{ end -}}
{{- end }}

{{- define "millrace.kafkaCaSecret" -}}
{{- if and (not .Values.kafka.enabled) .Values.externalKafka.ca }}{{ .Values.externalKafka.secretName }}{{ end -}}
{{- end }}

{{- define "millrace.postgresEnvironment" -}}
{{- $secret := .Values.postgres.enabled | ternary "postgres-app" .Values.externalPostgres.secretName -}}
{{ include "millrace.fromSecret" (list "MILLRACE_POSTGRES_HOST" $secret "host" false) }}
{{ include "millrace.fromSecret" (list "MILLRACE_POSTGRES_PORT" $secret "port" true) }}
{{ include "millrace.fromSecret" (list "MILLRACE_POSTGRES_DATABASE" $secret "dbname" false) }}
{{ include "millrace.fromSecret" (list "MILLRACE_POSTGRES_USERNAME" $secret "username" false) }}
{{ include "millrace.fromSecret" (list "MILLRACE_POSTGRES_PASSWORD" $secret "password" false) }}
{{ include "millrace.fromSecret" (list "MILLRACE_POSTGRES_SSLMODE" $secret "sslmode" true) }}
{{- if include "millrace.postgresCaSecret" . }}
- {name: MILLRACE_POSTGRES_CA_FILE, value: /etc/millrace/postgres/ca.crt}
{{- end }}
{{- end }}

{{- define "millrace.caMounts" -}}
{{- if include "millrace.kafkaCaSecret" . }}
- {name: kafka-ca, mountPath: /etc/millrace/kafka, readOnly: true}
{{- end }}
{{- if include "millrace.postgresCaSecret" . }}
- {name: postgres-ca, mountPath: /etc/millrace/postgres, readOnly: true}
{{- end }}
{{- end }}

{{- define "millrace.caVolumes" -}}
{{- with include "millrace.kafkaCaSecret" . }}
- {name: kafka-ca, secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- with include "millrace.postgresCaSecret" . }}
- {name: postgres-ca, secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- end }}
