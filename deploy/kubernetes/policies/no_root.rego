# Nothing runs as root, or could become it.
package eventfold.no_root

import rego.v1

import data.eventfold.workloads

deny contains sprintf("%s: runAsNonRoot is not true", [container.of]) if {
	some container in workloads.containers
	not setting(container, "runAsNonRoot") == true
}

deny contains sprintf("%s: runAsUser is not a number above 0", [container.of]) if {
	some container in workloads.containers
	not is_user(setting(container, "runAsUser"))
}

deny contains sprintf("%s: seccompProfile is not RuntimeDefault", [container.of]) if {
	some container in workloads.containers
	not object.get(setting(container, "seccompProfile"), "type", "") == "RuntimeDefault"
}

deny contains sprintf("%s: allowPrivilegeEscalation is not false", [container.of]) if {
	some container in workloads.containers
	not own(container, "allowPrivilegeEscalation", true) == false
}

deny contains sprintf("%s: it is privileged", [container.of]) if {
	some container in workloads.containers
	own(container, "privileged", false) != false
}

deny contains sprintf("%s: not all capabilities are dropped", [container.of]) if {
	some container in workloads.containers
	capabilities := own(container, "capabilities", {})
	not "ALL" in object.get(capabilities, "drop", [])
}

deny contains sprintf("%s: it adds capabilities", [container.of]) if {
	some container in workloads.containers
	count(object.get(own(container, "capabilities", {}), "add", [])) > 0
}

deny contains sprintf("%s: %s is the machine's", [pod.of, key]) if {
	some pod in workloads.pods
	some key in {"hostNetwork", "hostPID", "hostIPC"}
	object.get(pod.spec, key, false) != false
}

deny contains sprintf("%s: volume %s is a folder of the machine", [pod.of, volume.name]) if {
	some pod in workloads.pods
	some volume in object.get(pod.spec, "volumes", [])
	volume.hostPath
}

# The container's own setting, else the pod's.
setting(container, key) := value if {
	value := object.get(object.get(container.spec, "securityContext", {}), key, object.get(object.get(container.pod.spec, "securityContext", {}), key, null))
}

own(container, key, default_value) := object.get(object.get(container.spec, "securityContext", {}), key, default_value)

is_user(value) if {
	is_number(value)
	value > 0
}
