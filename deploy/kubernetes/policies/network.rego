# Every port is covered by a NetworkPolicy: a pod is reached, and reaches others, only as a rule with peers and ports says.
package eventfold.network

import rego.v1

import data.eventfold.workloads

policies := [manifest | some manifest in input.manifests; manifest.kind == "NetworkPolicy"]

deny contains sprintf("%s: no NetworkPolicy holds for its %s", [pod.of, direction]) if {
	some pod in workloads.pods
	some direction in {"Ingress", "Egress"}
	not covered(pod, direction)
}

deny contains sprintf("Service %s: no NetworkPolicy chooses its pods for Ingress", [service.metadata.name]) if {
	some service in input.manifests
	service.kind == "Service"
	not covered({"labels": service.spec.selector, "namespace": workloads.namespace(service)}, "Ingress")
}

deny contains sprintf("Service %s: port %v leads to no port of a pod", [service.metadata.name, port.port]) if {
	some service in input.manifests
	service.kind == "Service"
	some port in service.spec.ports
	not leads_somewhere(service, port)
}

deny contains sprintf("NetworkPolicy %s: an ingress rule lets everybody in", [policy.metadata.name]) if {
	some policy in policies
	some rule in object.get(policy.spec, "ingress", [])
	count(object.get(rule, "from", [])) == 0
}

deny contains sprintf("NetworkPolicy %s: an egress rule leads everywhere", [policy.metadata.name]) if {
	some policy in policies
	some rule in object.get(policy.spec, "egress", [])
	count(object.get(rule, "to", [])) == 0
}

deny contains sprintf("NetworkPolicy %s: a rule names no ports", [policy.metadata.name]) if {
	some policy in policies
	some key in {"ingress", "egress"}
	some rule in object.get(policy.spec, key, [])
	count(object.get(rule, "ports", [])) == 0
}

deny contains sprintf("NetworkPolicy %s: an empty selector chooses every peer", [policy.metadata.name]) if {
	some policy in policies
	some key in {"ingress", "egress"}
	some rule in object.get(policy.spec, key, [])
	some side in {"from", "to"}
	some peer in object.get(rule, side, [])
	everybody(peer)
}

covered(pod, direction) if {
	some policy in policies
	direction in policy.spec.policyTypes
	workloads.namespace(policy) == pod.namespace
	workloads.chooses(policy.spec.podSelector, pod.labels)
}

leads_somewhere(service, port) if {
	some container in workloads.containers
	workloads.chooses({"matchLabels": service.spec.selector}, container.pod.labels)
	some offered in object.get(container.spec, "ports", [])
	port.targetPort in {offered.name, offered.containerPort}
}

everybody(peer) if {
	some key in {"podSelector", "namespaceSelector"}
	peer[key] == {}
	count(peer) == 1
}

everybody(peer) if {
	peer.ipBlock.cidr in {"0.0.0.0/0", "::/0"}
	count(object.get(peer.ipBlock, "except", [])) == 0
}
