"""From a Route to a Litestar handler: errors, metrics and what OpenAPI says."""

from time import perf_counter
from typing import Any

import structlog
from litestar import Request, get
from litestar.types import ASGIApp

from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.problems import Problem, unavailable
from infrastructure.personal_data import KeyStoreUnavailable
from infrastructure.read_store import ReadStoreUnavailable
from query_api.http.metrics import RouteMetrics
from query_api.http.openapi import operation
from query_api.http.parameters import read_query
from query_api.http.responses import Response, refusal
from query_api.http.route import Route

log = structlog.get_logger(__name__)


def handler(route: Route) -> Any:
    """The Litestar handler of a route.

    It takes the request alone and gives back an ASGI application: Litestar's own parsing of parameters and building of
    responses cost more than everything else that this service does for a query by id.
    """
    respond = route.respond
    allowed = tuple(parameter.name for parameter in route.parameters)
    metrics = RouteMetrics(route.path)

    @get(
        route.path.replace("}", ":str}"),
        name=route.operation,
        operation_id=route.operation,
        summary=route.summary,
        description=route.description or None,
        tags=[route.path.split("/")[1]],
        **operation(route),
    )
    async def handle(request: Request[Any, Any, Any]) -> ASGIApp:
        started = perf_counter()
        try:
            scope = request.scope
            response = await respond(scope, read_query(scope["query_string"], allowed))
        except Problem as problem:
            response = refusal(problem)
        except ReadStoreUnavailable as error:
            response = refusal(unavailable("read store", error))
        except EventStoreUnavailable as error:
            response = refusal(unavailable("event store", error))
        except KeyStoreUnavailable as error:
            response = refusal(unavailable("key store", error))
        except Exception as error:
            response = _failed(request, error)
        metrics.answered(response.status, perf_counter() - started)
        return response

    return handle


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response:
    log.error("a query failed", path=request.url.path[:200], exc_info=error)
    return refusal(Problem(500, "internal-error", "The service failed at this request"))
