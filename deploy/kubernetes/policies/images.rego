# Every image is a release that can be named: a tag that is not "latest", or a digest.
package eventfold.images

import rego.v1

import data.eventfold.workloads

deny contains sprintf("%s: the image %s has neither a tag nor a digest", [container.of, container.spec.image]) if {
	some container in workloads.containers
	not regex.match(`(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$`, container.spec.image)
}

deny contains sprintf("%s: the image %s is whatever is the latest", [container.of, container.spec.image]) if {
	some container in workloads.containers
	endswith(container.spec.image, ":latest")
}
