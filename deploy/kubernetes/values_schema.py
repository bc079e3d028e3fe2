"""The chart's values.schema.json: Helm names a value that can't be, and where it is, before anything is asked for."""

from typing import Any

from deploy.kubernetes.settings_schema import secrets_schema, settings_schema
from ops.stack.services import HTTP_SERVICES

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
NAME = {"$ref": "#/$defs/name"}
COUNT = {"type": "integer", "minimum": 1}
SECONDS = {"type": "integer", "minimum": 0}
QUANTITY = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?$"}
PATH = {"type": "string", "pattern": "^/[^:]*$"}
PEERS = {"type": "array", "items": {"$ref": "#/$defs/peer"}}
PORTS = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}, "minItems": 1}
LABELS = {"type": "object", "additionalProperties": TEXT}
NAMES = {"type": "array", "items": NAME, "uniqueItems": True}
VARIABLES = {"type": "object", "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"}, "additionalProperties": TEXT}
SETTING_NAMES = {"type": "array", "items": {"type": "string", "pattern": "^EVENTFOLD_[A-Z0-9_]+$"}}
SCHEDULE = {"type": "string", "pattern": r"^(@[a-z]+|\S+( \S+){4})$"}


def values_schema() -> dict[str, Any]:
    """The whole schema."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "values of the chart eventfold",
        **_object(
            {
                "image": _object(
                    {
                        "repository": {"type": "string", "minLength": 1},
                        # Whoever runs "latest" can't say what runs.
                        "tag": {
                            "type": "string",
                            "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*$|^$",
                            "not": {"const": "latest"},
                        },
                        "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
                        "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
                        "pullSecrets": NAMES,
                    }
                ),
                "fullnameOverride": {"type": "string", "pattern": "^([a-z]([-a-z0-9]{0,38}[a-z0-9])?)?$"},
                "settings": settings_schema(),
                "secrets": secrets_schema(),
                "dependencies": {"type": "object", "additionalProperties": _dependency()},
                "everyServiceNeeds": NAMES,
                "services": _object({name: _service() for name in HTTP_SERVICES}),
                "jobs": {"type": "object", "propertyNames": NAME, "additionalProperties": _job()},
                "documents": _object({"claim": _claim({"accessMode": {"enum": ["ReadWriteMany", "ReadWriteOnce"]}})}),
                "networkPolicy": _object({"enabled": FLAG, "gateway": PEERS, "monitoring": PEERS, "dns": PEERS}),
                "monitoring": _object(
                    {
                        "enabled": FLAG,
                        "labels": LABELS,
                        "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
                        "tokenSecret": _object({"name": TEXT, "key": TEXT}),
                        "dashboards": FLAG,
                        "dashboardLabels": LABELS,
                    }
                ),
                "autoscaling": _object(
                    {
                        "prometheus": {"type": "string", "pattern": "^https?://"},
                        "authentication": TEXT,
                        "fallback": COUNT,
                    }
                ),
                "probes": _object(
                    {
                        "startupSeconds": {"type": "integer", "minimum": 10},
                        "periodSeconds": COUNT,
                        "failureThreshold": COUNT,
                    }
                ),
                "preStopSeconds": SECONDS,
                "disruptionBudget": _object({"maxUnavailable": {"type": ["integer", "string"]}}),
                "topologySpread": {"type": "array", "items": _spread()},
                "nodeSelector": LABELS,
                "tolerations": {"type": "array", "items": {"type": "object"}},
                "priorityClassName": TEXT,
                "podAnnotations": LABELS,
                "standIns": {"type": "object", "propertyNames": NAME, "additionalProperties": _stand_in()},
                "global": {"type": "object"},
            }
        ),
        "$defs": {
            "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 253},
            "peer": _object(
                {
                    "podSelector": {"type": "object"},
                    "namespaceSelector": {"type": "object"},
                    "ipBlock": {"type": "object"},
                }
            )
            | {"minProperties": 1},
            "resources": _resources(),
        },
    }


def _object(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _dependency() -> dict[str, Any]:
    when = _object({"setting": {"type": "string", "pattern": "^(EVENTFOLD|OTEL)_"}, "begins": TEXT}, ("setting",))
    to = PEERS | {"minItems": 1}  # an empty list would be everybody
    properties = {"service": NAME, "url": TEXT, "when": when, "secrets": SETTING_NAMES, "to": to, "ports": PORTS}
    return _object(properties) | {"dependencies": {"to": ["ports"], "url": ["service"]}}


def _service() -> dict[str, Any]:
    scaling = _object(
        {
            "by": {"enum": ["cpu", "lag", "none"]},
            "min": COUNT,
            "max": COUNT,
            "target": COUNT,
            "metric": {"type": "string", "pattern": "^eventfold_[a-z_]+$"},
        },
        ("by", "min"),
    )
    scaling["allOf"] = [
        {"if": {"properties": {"by": {"const": "cpu"}}}, "then": {"required": ["max", "target"]}},
        {"if": {"properties": {"by": {"const": "lag"}}}, "then": {"required": ["max", "target", "metric"]}},
    ]
    files = _object({"secret": NAME, "at": PATH}, ("secret", "at"))
    return _object(
        {
            "enabled": FLAG,
            "needs": NAMES,
            "from": {"type": "array", "items": {"enum": ["gateway"]}},
            "documents": {"enum": ["read", "write"]},
            "files": {"type": "array", "items": files},
            "settings": {"$ref": "#/properties/settings"},
            "scaling": scaling,
            "resources": {"$ref": "#/$defs/resources"},
        },
        ("enabled", "needs", "scaling", "resources"),
    )


def _job() -> dict[str, Any]:
    source = _object({"claim": TEXT, "beside": LABELS})
    return _object(
        {
            "enabled": FLAG,
            "schedule": SCHEDULE,
            "needs": NAMES,
            "secrets": SETTING_NAMES,
            "image": {"type": "string", "not": {"pattern": "(:latest$|^[^:@]+$)"}},
            "runAsUser": COUNT,
            "args": {"type": "array", "items": TEXT},
            "filesOf": {"type": "array", "items": {"enum": list(HTTP_SERVICES)}},
            "script": {"enum": ["dump-mongodb.sh", "copy-event-store.sh"]},
            "env": VARIABLES,
            "claim": _claim({}),
            "source": source,
            "deadline": COUNT,
            "resources": {"$ref": "#/$defs/resources"},
        },
        ("enabled", "schedule", "needs", "deadline", "resources"),
    ) | {"oneOf": [{"required": ["args"]}, {"required": ["script"]}]}


def _claim(more: dict[str, Any]) -> dict[str, Any]:
    return _object({"name": TEXT, "size": QUANTITY, "storageClass": TEXT} | more)


def _spread() -> dict[str, Any]:
    when = {"enum": ["ScheduleAnyway", "DoNotSchedule"]}
    properties = {"topologyKey": TEXT, "maxSkew": COUNT, "whenUnsatisfiable": when}
    return _object(properties, tuple(properties))


def _stand_in() -> dict[str, Any]:
    port = _object({"name": NAME, "number": {"type": "integer", "minimum": 1, "maximum": 65535}}, ("name", "number"))
    return _object(
        {
            "image": {"type": "string", "not": {"pattern": "(:latest$|^[^:@]+$)"}},
            "args": {"type": "array", "items": TEXT},
            "ports": {"type": "array", "items": port, "minItems": 1},
            "runAsUser": COUNT,
            "env": VARIABLES,
            "secretEnv": VARIABLES,
            "needs": NAMES,
            "data": _object({"at": PATH, "size": QUANTITY, "storageClass": TEXT}, ("at", "size")),
            "scratch": {"type": "array", "items": PATH},
            "probe": {"type": "object", "minProperties": 1},
            "graceSeconds": COUNT,
            "resources": {"$ref": "#/$defs/resources"},
        },
        ("image", "ports", "runAsUser", "probe", "graceSeconds", "resources"),
    )


def _resources() -> dict[str, Any]:
    amounts = {"cpu": QUANTITY, "memory": QUANTITY, "ephemeral-storage": QUANTITY}
    requests = _object(amounts, ("cpu", "memory"))
    return _object({"requests": requests, "limits": _object(amounts, ("memory",))}, ("requests", "limits"))
