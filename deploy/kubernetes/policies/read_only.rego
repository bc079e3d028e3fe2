# Our own containers write to no file system but to what is mounted for that.
package eventfold.read_only

import rego.v1

import data.eventfold.workloads

deny contains sprintf("%s: readOnlyRootFilesystem is not true", [container.of]) if {
	some container in workloads.containers
	regex.match(`(^|/)eventfold[:@]`, container.spec.image)
	not object.get(object.get(container.spec, "securityContext", {}), "readOnlyRootFilesystem", false) == true
}
