{{- define "eventfold.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "eventfold.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ . }}
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What is the same of every pod but for its ServiceAccount. enableServiceLinks: a Service's variables begin with EVENTFOLD_
as our settings do. Takes (dict "root" $ "component" name). */}}
{{- define "eventfold.podCommon" -}}
automountServiceAccountToken: false
enableServiceLinks: false
serviceAccountName: {{ include "eventfold.fullname" .root }}-{{ .component }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The variables of a container of ours beside the settings of all: secrets, and addresses of what it needs.
Takes (dict "root" $ "dependencies" list "secrets" list). */}}
{{- define "eventfold.variables" -}}
{{ include "eventfold.secretVariables" .secrets }}
{{- range .dependencies }}
{{- if and .url (not (hasKey $.root.Values.settings .url)) }}
- name: {{ .url }}
  value: http://{{ include "eventfold.fullname" $.root }}-{{ .service }}:8000
{{- end }}
{{- end }}
{{- end -}}

{{/* Where documents are, if they are files: the folder. */}}
{{- define "eventfold.documentsFolder" -}}
{{- $store := default "" .Values.settings.EVENTFOLD_DOCUMENT_STORE -}}
{{- if hasPrefix "file:" $store -}}{{- trimPrefix "file:" $store -}}{{- end -}}
{{- end -}}

{{- define "eventfold.documentsClaim" -}}
{{- default (printf "%s-documents" (include "eventfold.fullname" .)) .Values.documents.claim.name -}}
{{- end -}}
