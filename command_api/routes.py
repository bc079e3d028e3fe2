"""The command routes, one for each command of each aggregate in the domain's list.

A creating command is PUT to `/<plural>/{id}` (the client chooses the id) or POSTed to `/<plural>` (the server does);
every other is POSTed to `/<plural>/{id}/<action>`.
"""

from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import Any

import msgspec
from litestar import Request, Response, post, put
from opentelemetry import trace
from prometheus_client import Counter, Histogram

from command_api.headers import command_headers
from command_api.openapi import operation_for
from command_api.pipeline import Pipeline
from command_api.requests import command_request, decode_command, server_named_id
from command_api.responses import REFUSALS, problem, success
from domain.model.aggregate import Aggregate, CommandType
from infrastructure.security.identity import identity_of
from infrastructure.security.policy import sender_of
from infrastructure.telemetry import context_from, current_trace

_OUTCOMES = Counter("eventfold_commands_total", "Commands by the HTTP status of the response", ["command", "status"])
_SECONDS = Histogram(
    "eventfold_command_seconds",
    "Time from a command's arrival to its response",
    ["command"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_tracer = trace.get_tracer("eventfold.command_api")

HttpRequest = Request[Any, Any, Any]


def command_routes(aggregates: Iterable[Aggregate], pipeline: Pipeline) -> list[Any]:
    """A route handler for every way of sending every command."""
    return [
        route
        for aggregate in aggregates
        for command_type in aggregate.commands
        for route in _routes(aggregate, command_type, pipeline)
    ]


def _routes(aggregate: Aggregate, command_type: CommandType, pipeline: Pipeline) -> Iterable[Any]:
    handle = _handler(aggregate, command_type, pipeline)
    named = f"/{aggregate.plural}/{{{aggregate.id_field}:str}}"
    described: dict[str, Any] = {
        "summary": command_type.summary,
        "description": command_type.struct.__doc__,
        "tags": [aggregate.plural],
        "status_code": 201 if command_type.creates else 200,
    }

    async def named_by_client(request: HttpRequest) -> Response[bytes]:
        return await handle(request, request.path_params[aggregate.id_field])

    async def named_by_server(request: HttpRequest) -> Response[bytes]:
        return await handle(request, None)

    if command_type.creates:
        operation_id = command_type.struct.__name__
        by_client = described | operation_for(aggregate, command_type, named=True)
        yield put(named, operation_id=operation_id, **by_client)(named_by_client)
        by_server = described | operation_for(aggregate, command_type, named=False)
        yield post(f"/{aggregate.plural}", operation_id=f"{operation_id}Unnamed", **by_server)(named_by_server)
    else:
        path = f"{named}/{command_type.action}"
        by_client = described | operation_for(aggregate, command_type, named=True)
        yield post(path, operation_id=command_type.struct.__name__, **by_client)(named_by_client)


def _handler(
    aggregate: Aggregate, command_type: CommandType, pipeline: Pipeline
) -> Callable[[HttpRequest, str | None], Awaitable[Response[bytes]]]:
    """handle(request, id of the aggregate, None where the server is to choose it) -> response."""
    name = command_type.struct.__name__
    decoder = msgspec.json.Decoder(command_type.struct)
    access = aggregate.access_to(command_type)
    seconds = _SECONDS.labels(name)
    succeeded = _OUTCOMES.labels(name, "201" if command_type.creates else "200")

    async def handle(request: HttpRequest, named: str | None) -> Response[bytes]:
        started = perf_counter()
        headers = command_headers(request.scope["headers"])
        try:
            sender = sender_of(identity_of(request.scope), headers.actor, access)
            aggregate_id = named
            if aggregate_id is None:
                aggregate_id = server_named_id(command_type, headers.idempotency_key, sender.keys)
            command = decode_command(decoder, await request.body(), headers.content_type)
            continued = context_from(headers.traceparent, headers.tracestate)
            with _tracer.start_as_current_span(name, context=continued):
                sent = command_request(command_type, aggregate_id, command, headers, current_trace(), sender)
                if named is None and sent.unscoped_key:
                    unscoped_id = server_named_id(command_type, sent.unscoped_key, "")
                    sent = await pipeline.as_first_sent(aggregate, sent, unscoped_id)
                result = await pipeline.handle(aggregate, command_type, sent)
        except REFUSALS as error:
            refused = problem(error)
            _OUTCOMES.labels(name, str(refused.details.status)).inc()
            raise refused from error
        succeeded.inc()
        seconds.observe(perf_counter() - started)
        return success(aggregate, command_type, sent.aggregate_id, result, sent.correlation_id)

    return handle
