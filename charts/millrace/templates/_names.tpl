{{/* Labels of one component. Call with (list $ "kafka"). */}}
{{- define "millrace.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end }}

{{- define "millrace.labels" -}}
{{- $root := index . 0 -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/part-of: millrace
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{- define "millrace.operator" -}}
{{ .Release.Name }}-operator
{{- end }}

{{/* Call with (dict "image" .Values.kafka.image). */}}
{{- define "millrace.image" -}}
image: {{ printf "%s:%s" .image.repository (toString .image.tag) | quote }}
imagePullPolicy: {{ .image.pullPolicy }}
{{- end }}

{{- define "millrace.pullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets: {{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}

{{/* The pod half of the restricted security standard. Call with the user's number. */}}
{{- define "millrace.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The container half. */}}
{{- define "millrace.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "millrace.kafkaServers" -}}
kafka.{{ .Release.Namespace }}.svc:9092
{{- end }}

{{- define "millrace.postgresHost" -}}
postgres.{{ .Release.Namespace }}.svc
{{- end }}
