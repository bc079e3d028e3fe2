"""What Linkerd's API reference says of the kinds that we write, as far as we use them: its charts can't be had as a
package, so this is written down here by hand. It agrees with the chart `linkerd-crds` of August 2026."""

from typing import Any

_NAME = {"type": "string", "minLength": 1}


def _fields(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


_REFERENCE = _fields(["group", "kind", "name"], group=_NAME, kind=_NAME, name=_NAME)
_LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
_PATH = _fields(
    ["type", "value"],
    type={"enum": ["Exact", "PathPrefix", "RegularExpression"]},
    value={"type": "string", "pattern": "^/", "maxLength": 1024},
)
_METHOD = {"enum": ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]}
_MATCH = _fields([], path=_PATH, method=_METHOD)

SCHEMAS: dict[str, tuple[str, dict[str, Any]]] = {
    "Server": (
        "policy.linkerd.io/v1beta3",
        _fields(
            ["port", "podSelector"],
            accessPolicy={"type": "string"},
            podSelector=_fields([], matchLabels=_LABELS),
            port={"type": "integer", "minimum": 1, "maximum": 65535},
            proxyProtocol={"enum": ["unknown", "HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS"]},
        ),
    ),
    "NetworkAuthentication": (
        "policy.linkerd.io/v1alpha1",
        _fields(["networks"], networks=_list(_fields(["cidr"], cidr=_NAME, **{"except": _list(_NAME)}))),
    ),
    "MeshTLSAuthentication": (
        "policy.linkerd.io/v1alpha1",
        _fields(
            ["identityRefs"],
            identityRefs=_list(
                _fields(["kind", "name"], kind={"const": "ServiceAccount"}, name=_NAME, namespace=_NAME)
            ),
        ),
    ),
    "HTTPRoute": (
        "policy.linkerd.io/v1beta3",
        _fields(
            ["parentRefs", "rules"],
            parentRefs=_list(_REFERENCE),
            rules=_list(_fields(["matches"], matches={**_list(_MATCH), "maxItems": 64})),
        ),
    ),
    "AuthorizationPolicy": (
        "policy.linkerd.io/v1alpha1",
        _fields(
            ["targetRef", "requiredAuthenticationRefs"],
            targetRef=_REFERENCE,
            requiredAuthenticationRefs=_list(_REFERENCE),
        ),
    ),
}
"""By kind, its version and the schema of its `spec`."""
