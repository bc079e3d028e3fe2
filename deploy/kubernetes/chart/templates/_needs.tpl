{{/* Everything in this release that asks others, by its name: {component: {needs: [...]}}, as JSON. */}}
{{- define "eventfold.components" -}}
{{- $all := dict -}}
{{- range $name, $service := .Values.services -}}
{{- if $service.enabled -}}
{{- $_ := set $all $name (dict "needs" (concat (default list $service.needs) $.Values.everyServiceNeeds)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $job := .Values.jobs -}}
{{- if $job.enabled -}}
{{- $_ := set $all $name (dict "needs" (default list $job.needs)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $standIn := .Values.standIns -}}
{{- $_ := set $all $name (dict "needs" (default list $standIn.needs)) -}}
{{- end -}}
{{- $all | toJson -}}
{{- end -}}

{{/* Those of the dependencies named that are needed by the settings as they are, as JSON: [{name, secrets, to, ports,
service, url}]. Takes (dict "root" $ "needs" names "of" who). Fails for a name that is none. */}}
{{- define "eventfold.dependencies" -}}
{{- $active := list -}}
{{- range $name := .needs -}}
{{- $one := get $.root.Values.dependencies $name -}}
{{- if not $one -}}
{{- fail (printf "%s needs %s, which is not among `dependencies`" $.of $name) -}}
{{- end -}}
{{- $wanted := true -}}
{{- with $one.when -}}
{{- $value := get $.root.Values.settings .setting | toString -}}
{{- $wanted = and (hasKey $.root.Values.settings .setting) (ne $value "") (hasPrefix (default "" .begins) $value) -}}
{{- end -}}
{{- if $wanted -}}
{{- $active = append $active (merge (dict "name" $name) $one) -}}
{{- end -}}
{{- end -}}
{{- $active | toJson -}}
{{- end -}}

{{/* The port on which a component of this release answers others. */}}
{{- define "eventfold.portsOf" -}}
{{- $service := get .root.Values.services .component -}}
{{- $standIn := get (default dict .root.Values.standIns) .component -}}
{{- if and $service $service.enabled -}}
{{- list 8000 | toJson -}}
{{- else if $standIn -}}
{{- $ports := list -}}
{{- range $standIn.ports -}}{{- $ports = append $ports .number -}}{{- end -}}
{{- $ports | toJson -}}
{{- else -}}
{{- fail (printf "%s is asked for, and neither a service that is enabled nor a stand-in" .component) -}}
{{- end -}}
{{- end -}}
