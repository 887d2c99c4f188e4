{{- define "jwtgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "jwtgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "jwtgate.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "jwtgate.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "jwtgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "jwtgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "jwtgate.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "jwtgate.labels" -}}
{{ include "jwtgate.selectorLabels" . }}
{{ include "jwtgate.commonLabels" . }}
{{- end -}}

{{- define "jwtgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "jwtgate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "jwtgate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* A duration of the config in whole seconds; 0 where it is not written in one unit. */}}
{{- define "jwtgate.seconds" -}}
{{- $text := toString . -}}
{{- if regexMatch "^[0-9]+ms$" $text -}}
{{- div (add (trimSuffix "ms" $text | int64) 999) 1000 -}}
{{- else if regexMatch "^[0-9]+s$" $text -}}
{{- trimSuffix "s" $text -}}
{{- else if regexMatch "^[0-9]+m$" $text -}}
{{- mul (trimSuffix "m" $text | int64) 60 -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{/* Fails where Kubernetes would kill a pod in the midst of its drain. */}}
{{- define "jwtgate.checkGracePeriod" -}}
{{- if not .Values.existingConfigMap -}}
{{- $timeouts := default dict .Values.config.timeouts -}}
{{- $delay := include "jwtgate.seconds" (default "0s" $timeouts.drainDelay) | int64 -}}
{{- $drain := include "jwtgate.seconds" (default "25s" $timeouts.drain) | int64 -}}
{{- if ge (add $delay $drain) (int64 .Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds (%d) must be more than config.timeouts.drainDelay and drain together (%d s)" (int64 .Values.terminationGracePeriodSeconds) (add $delay $drain)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
