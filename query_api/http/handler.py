"""From a Route to a Litestar handler: errors and what OpenAPI says."""

from typing import Any

import structlog
from litestar import Request, get
from litestar.types import ASGIApp

from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.problems import Problem, unavailable
from infrastructure.personal_data import KeyStoreUnavailable
from infrastructure.read_store import ReadStoreUnavailable
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
        try:
            scope = request.scope
            return await respond(scope, read_query(scope["query_string"], allowed))
        except Problem as problem:
            return refusal(problem)
        except ReadStoreUnavailable as error:
            return refusal(unavailable("read store", error))
        except EventStoreUnavailable as error:
            return refusal(unavailable("event store", error))
        except KeyStoreUnavailable as error:
            return refusal(unavailable("key store", error))
        except Exception as error:
            return _failed(request, error)

    return handle


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response:
    log.error("a request failed", method=request.method, path=request.url.path[:200], exc_info=error)
    return refusal(Problem(500, "internal-error", "The service failed at this request"))
