# No secret stands in a manifest: each is named, and is in a Secret that somebody else makes.
package eventfold.secrets

import rego.v1

import data.eventfold.workloads

deny contains sprintf("Secret %s: a Secret is none of the manifests'", [manifest.metadata.name]) if {
	some manifest in input.manifests
	manifest.kind == "Secret"
}

deny contains sprintf("%s: %s is a secret, and is there by value", [container.of, variable.name]) if {
	some container in workloads.containers
	some variable in object.get(container.spec, "env", [])
	is_secret(variable.name)
	object.get(variable, "value", "") != ""
}

deny contains sprintf("ConfigMap %s: %s is a secret", [manifest.metadata.name, key]) if {
	some manifest in input.manifests
	manifest.kind == "ConfigMap"
	some key, _ in object.get(manifest, "data", {})
	is_secret(key)
}

deny contains sprintf("%s: %s has a password in its address", [container.of, variable.name]) if {
	some container in workloads.containers
	some variable in object.get(container.spec, "env", [])
	has_password(object.get(variable, "value", ""))
}

deny contains sprintf("ConfigMap %s: %s has a password in its address", [manifest.metadata.name, key]) if {
	some manifest in input.manifests
	manifest.kind == "ConfigMap"
	some key, value in object.get(manifest, "data", {})
	has_password(value)
}

deny contains sprintf("%s: an argument has a password in an address", [container.of]) if {
	some container in workloads.containers
	some key in {"args", "command"}
	some argument in object.get(container.spec, key, [])
	has_password(argument)
}

# What names a file is none.
is_secret(name) if {
	regex.match(`(^|_)(PASSWORD|SECRET|TOKEN|PIN|KEY|URI|KEY_STORE|MAIL_URL)$`, name)
	not name in {"EVENTFOLD_S3_ACCESS_KEY_ID"}
}

has_password(value) if regex.match(`[a-z0-9+]://[^/@\s:]*:[^/@\s]+@`, value)
