# A machine that is emptied takes no service away: each has a budget of disruptions that lets its pods move one by one, its
# pods are spread, and time enough to end.
package eventfold.availability

import rego.v1

import data.eventfold.workloads

deployments contains manifest if {
	some manifest in input.manifests
	manifest.kind == "Deployment"
}

deny contains sprintf("%s: no PodDisruptionBudget chooses it", [workloads.name(deployment)]) if {
	some deployment in deployments
	not has_budget(deployment)
}

deny contains sprintf("PodDisruptionBudget %s: maxUnavailable is missing or 0: no machine can be emptied", [budget.metadata.name]) if {
	some budget in input.manifests
	budget.kind == "PodDisruptionBudget"
	object.get(budget.spec, "maxUnavailable", 0) in {0, "0", "0%"}
}

deny contains sprintf("%s: its pods are not spread", [workloads.name(deployment)]) if {
	some deployment in deployments
	count(object.get(deployment.spec.template.spec, "topologySpreadConstraints", [])) == 0
}

deny contains sprintf("%s: terminationGracePeriodSeconds is missing", [workloads.name(deployment)]) if {
	some deployment in deployments
	not deployment.spec.template.spec.terminationGracePeriodSeconds
}

has_budget(deployment) if {
	some budget in input.manifests
	budget.kind == "PodDisruptionBudget"
	workloads.chooses(budget.spec.selector, deployment.spec.template.metadata.labels)
}
