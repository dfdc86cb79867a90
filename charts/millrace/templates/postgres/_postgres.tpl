{{/* The owner's password: the value, else the one in the cluster, else a new one. Remembered for this rendering, for a new one is random. */}}
{{- define "millrace.postgresPassword" -}}
{{- if not (hasKey .Values.postgres "chosenPassword") -}}
  {{- $existing := (lookup "v1" "Secret" .Release.Namespace "postgres-app").data | default dict -}}
  {{- $chosen := .Values.postgres.password | default (get $existing "password" | b64dec) | default (randAlphaNum 32) -}}
  {{- $_ := set .Values.postgres "chosenPassword" $chosen -}}
{{- end -}}
{{ .Values.postgres.chosenPassword }}
{{- end }}

{{/* Changes with the password, and gives nothing of it away: pods that hold it are then restarted. */}}
{{- define "millrace.postgresCredentials" -}}
{{ include "millrace.postgresPassword" . | sha256sum | trunc 6 }}
{{- end }}

{{- define "millrace.postgresSslMode" -}}
{{ if .Values.postgres.tls.secretName }}verify-full{{ else }}disable{{ end }}
{{- end }}

{{- define "millrace.postgresDefaults" -}}
listen_addresses: "*"
max_connections: "200"
unix_socket_directories: /var/run/postgresql
password_encryption: scram-sha-256
timezone: UTC
{{- if .Values.postgres.tls.secretName }}
ssl: "on"
ssl_cert_file: /etc/postgresql-tls/tls.crt
ssl_key_file: /etc/postgresql-tls/tls.key
ssl_min_protocol_version: TLSv1.2
{{- end }}
shared_buffers: 512MB
effective_cache_size: 1GB
work_mem: 16MB
maintenance_work_mem: 128MB
wal_compression: lz4
wal_buffers: 16MB
min_wal_size: 512MB
max_wal_size: 4GB
checkpoint_timeout: 15min
checkpoint_completion_target: "0.9"
random_page_cost: "1.1"
jit: "off"
autovacuum_naptime: 15s
autovacuum_vacuum_cost_limit: "2000"
tcp_keepalives_idle: 10s
tcp_keepalives_interval: 5s
tcp_keepalives_count: "3"
tcp_user_timeout: 20s
idle_in_transaction_session_timeout: 10min
log_timezone: UTC
log_line_prefix: "%m [%p] %q%u@%d "
log_checkpoints: "on"
log_lock_waits: "on"
log_autovacuum_min_duration: 10s
{{- end }}

{{- define "millrace.postgresConfig" -}}
{{- $settings := mergeOverwrite (include "millrace.postgresDefaults" . | fromYaml) .Values.postgres.config -}}
{{- range $name := keys $settings | sortAlpha }}
{{ $name }} = '{{ get $settings $name | toString | replace "'" "''" }}'
{{- end }}
{{- end }}

{{- define "millrace.postgresAccess" -}}
{{- $host := .Values.postgres.tls.required | ternary "hostssl" "host   " }}
# The superuser only by the local socket; everybody else by password.
local   all postgres     peer
local   all all          scram-sha-256
host    all postgres all reject
{{ $host }} all all      all scram-sha-256
{{- end }}
