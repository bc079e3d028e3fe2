# Every container says what it needs and takes at most; what serves is asked whether it has started, lives and is ready.
package eventfold.resources_and_probes

import rego.v1

import data.eventfold.workloads

deny contains sprintf("%s: resources.%s.%s is missing", [container.of, side, amount]) if {
	some container in workloads.containers
	some [side, amount] in {["requests", "cpu"], ["requests", "memory"], ["limits", "memory"]}
	object.get(container.spec, ["resources", side, amount], "") == ""
}

deny contains sprintf("%s: %s is missing", [container.of, probe]) if {
	some container in workloads.serving
	some probe in {"startupProbe", "livenessProbe", "readinessProbe"}
	not container.spec[probe]
}

deny contains sprintf("%s: a job without activeDeadlineSeconds can run for ever", [workloads.name(manifest)]) if {
	some manifest in input.manifests
	manifest.kind == "CronJob"
	not manifest.spec.jobTemplate.spec.activeDeadlineSeconds
}
