# Pods learn nothing of Kubernetes that they don't need: no Service's variables, which begin as our settings do, no token.
package eventfold.apart

import rego.v1

import data.eventfold.workloads

deny contains sprintf("%s: enableServiceLinks is not false", [pod.of]) if {
	some pod in workloads.pods
	not object.get(pod.spec, "enableServiceLinks", true) == false
}

deny contains sprintf("%s: automountServiceAccountToken is not false", [pod.of]) if {
	some pod in workloads.pods
	not object.get(pod.spec, "automountServiceAccountToken", true) == false
}
