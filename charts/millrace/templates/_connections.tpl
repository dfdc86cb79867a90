{{/* How the operator reaches Kafka and Postgres: where, and the names of the Secrets that it reads in every round; wrong
     combinations of values fail here. */}}

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
{{- with $external.bootstrapServers }}
- {name: MILLRACE_KAFKA_BOOTSTRAP_SERVERS, value: {{ . | quote }}}
{{- end }}
{{- with $external.secretName }}
- {name: MILLRACE_KAFKA_SECRET, value: {{ . | quote }}}
{{- end }}
{{- if $external.ca }}
- {name: MILLRACE_KAFKA_CA_SECRET, value: {{ $external.secretName | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* The Secret with the ca.crt that Postgres is checked against; empty when none is. */}}
{{- define "millrace.postgresCaSecret" -}}
{{- if .Values.postgres.enabled }}{{ .Values.postgres.tls.secretName }}{{ else if .Values.externalPostgres.ca }}{{ .Values.externalPostgres.secretName }}{{ end -}}
{{- end }}

{{- define "millrace.postgresEnvironment" -}}
- {name: MILLRACE_POSTGRES_SECRET, value: {{ .Values.postgres.enabled | ternary "postgres-app" .Values.externalPostgres.secretName | quote }}}
{{- with include "millrace.postgresCaSecret" . }}
- {name: MILLRACE_POSTGRES_CA_SECRET, value: {{ . | quote }}}
{{- end }}
{{- end }}
