{{/* Which secrets a component gets: [{variable, secret, key, form}], as JSON; form is `file` (VARIABLE_FILE names it), `path`
(the variable itself does) or `variable`. Takes (dict "root" $ "dependencies" list "only" names or nothing). */}}
{{- define "eventfold.secrets" -}}
{{- $found := list -}}
{{- $names := list -}}
{{- range .dependencies -}}{{- $names = concat $names (default list .secrets) -}}{{- end -}}
{{- $readable := include "eventfold.secretsFromFiles" . | fromJsonArray -}}
{{- range $name := default ($names | uniq) .only -}}
{{- with get $.root.Values.secrets $name -}}
{{- $form := ternary "path" (ternary "file" "variable" (has $name $readable)) (hasSuffix "_FILE" $name) -}}
{{- $found = append $found (dict "variable" $name "secret" .secret "key" .key "form" $form) -}}
{{- end -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}

{{/* Takes the list of eventfold.secrets. */}}
{{- define "eventfold.secretVariables" -}}
{{- range . }}
{{- if eq .form "variable" }}
- name: {{ .variable }}
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}
{{- else }}
- name: {{ .variable }}{{ if eq .form "file" }}_FILE{{ end }}
  value: /run/secrets/eventfold/{{ .secret }}/{{ .key }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The volume of those that are files. The kubelet renews it when a Secret changes, which is why no subPath is used. */}}
{{- define "eventfold.secretVolume" -}}
{{- $bySecret := dict -}}
{{- range . -}}
{{- if ne .form "variable" -}}
{{- $_ := set $bySecret .secret (append (default list (get $bySecret .secret)) .key | uniq) -}}
{{- end -}}
{{- end -}}
{{- if $bySecret }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $secret, $keys := $bySecret }}
      - secret:
          name: {{ $secret }}
          items:
            {{- range $keys }}
            - {key: {{ . }}, path: {{ $secret }}/{{ . }}}
            {{- end }}
      {{- end }}
{{- end }}
{{- end -}}
