"""/metrics: in the OpenMetrics format, with exemplars, for who asks for it, else in Prometheus's text format."""

from platform import python_version
from typing import Any

from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, Gauge, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as in_openmetrics

from domain.model.access import Access
from infrastructure.http.openapi import documented
from infrastructure.security.scopes import METRICS
from infrastructure.version import installed_version

_ACCESS = Access(METRICS, shared=True)
_IN_TEXT = ResponseSpec(
    str, description="In Prometheus's text format", media_type="text/plain", generate_examples=False
)
_OPENMETRICS = "application/openmetrics-text"
_BUILD = Gauge("eventfold_build_info", "Always 1; the labels say what runs", ["version", "python"])


def metrics_route() -> Any:
    """GET /metrics: all that this process measures, and what build it is."""
    _BUILD.labels(installed_version(), python_version()).set(1)

    @get(
        "/metrics",
        operation_id="Metrics",
        summary="Prometheus metrics",
        description="OpenMetrics, with exemplars, where `Accept` names `application/openmetrics-text`.",
        tags=["health"],
        sync_to_thread=False,
        **documented({}, responses={200: _IN_TEXT}, access=_ACCESS),
    )
    def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        if _asks_for_openmetrics(request.headers.get("accept", "")):
            content, content_type = in_openmetrics(REGISTRY), CONTENT_TYPE_LATEST  # type: ignore[no-untyped-call]
        else:
            content, content_type = generate_latest(REGISTRY), CONTENT_TYPE_PLAIN_0_0_4
        return Response(content, headers={"content-type": content_type, "vary": "Accept"})

    return metrics


def _asks_for_openmetrics(accept: str) -> bool:
    """In whichever version: there is but one in use, which Prometheus asks for before all others."""
    return any(one.partition(";")[0].strip().lower() == _OPENMETRICS for one in accept.split(","))
