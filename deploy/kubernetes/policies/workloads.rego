# What other policies look at: every pod of the manifests (`input.manifests`), whatever makes it, and its containers.
package eventfold.workloads

import rego.v1

pods contains {"of": name(manifest), "kind": manifest.kind, "namespace": namespace(manifest), "labels": manifest.spec.template.metadata.labels, "spec": manifest.spec.template.spec} if {
	some manifest in input.manifests
	manifest.kind in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}
}

pods contains {"of": name(manifest), "kind": manifest.kind, "namespace": namespace(manifest), "labels": manifest.spec.jobTemplate.spec.template.metadata.labels, "spec": manifest.spec.jobTemplate.spec.template.spec} if {
	some manifest in input.manifests
	manifest.kind == "CronJob"
}

pods contains {"of": name(manifest), "kind": manifest.kind, "namespace": namespace(manifest), "labels": object.get(manifest.metadata, "labels", {}), "spec": manifest.spec} if {
	some manifest in input.manifests
	manifest.kind == "Pod"
}

containers contains {"of": sprintf("%s, container %s", [pod.of, container.name]), "pod": pod, "spec": container} if {
	some pod in pods
	some key in {"containers", "initContainers"}
	some container in object.get(pod.spec, key, [])
}

# Those that run on, and not to an end.
serving contains container if {
	some container in containers
	not container.pod.kind in {"Job", "CronJob"}
}

name(manifest) := sprintf("%s %s", [manifest.kind, manifest.metadata.name])

namespace(manifest) := object.get(manifest.metadata, "namespace", "")

# Whether a selector's matchLabels choose these labels; an empty one chooses everything.
chooses(selector, labels) if {
	every key, value in object.get(selector, "matchLabels", {}) {
		labels[key] == value
	}
}
