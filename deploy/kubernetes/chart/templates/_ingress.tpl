{{- define "eventfold.policyPorts" -}}
{{- $ports := list -}}
{{- range . -}}{{- $ports = append $ports (dict "protocol" "TCP" "port" (int .)) -}}{{- end -}}
{{- $ports | toJson -}}
{{- end -}}

{{/* The ports by which a dependency in this release is asked. Takes (dict "root" $ "dependency" it). */}}
{{- define "eventfold.askedAt" -}}
{{- if .dependency.ports -}}
{{- .dependency.ports | toJson -}}
{{- else -}}
{{- include "eventfold.portsOf" (dict "root" .root "component" .dependency.service) -}}
{{- end -}}
{{- end -}}

{{/* Who may ask a component, and where: who needs it, and, of a service, the gateway and who reads metrics.
Takes (dict "root" $ "name" its name "service" its values "components" all). */}}
{{- define "eventfold.ingress" -}}
{{- $rules := list -}}
{{- range $caller, $component := .components -}}
{{- $needs := include "eventfold.dependencies" (dict "root" $.root "needs" $component.needs "of" $caller) | fromJsonArray -}}
{{- $ports := list -}}
{{- range $needs -}}
{{- if eq (default "" .service) $.name -}}
{{- $ports = concat $ports (include "eventfold.askedAt" (dict "root" $.root "dependency" .) | fromJsonArray) | uniq -}}
{{- end -}}
{{- end -}}
{{- if $ports -}}
{{- $labels := include "eventfold.selector" (dict "root" $.root "component" $caller) | fromYaml -}}
{{- $from := list (dict "podSelector" (dict "matchLabels" $labels)) -}}
{{- $rules = append $rules (dict "from" $from "ports" (include "eventfold.policyPorts" $ports | fromJsonArray)) -}}
{{- end -}}
{{- end -}}
{{- if .service -}}
{{- $from := .root.Values.networkPolicy.monitoring -}}
{{- if has "gateway" (default list .service.from) -}}
{{- $from = concat .root.Values.networkPolicy.gateway $from -}}
{{- end -}}
{{- if $from -}}
{{- $rules = append $rules (dict "from" $from "ports" (include "eventfold.policyPorts" (list 8000) | fromJsonArray)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $rules -}}
{{- end -}}
