"""The command routes, one for each command of each aggregate in the domain's list.

A creating command is PUT to `/<plural>/{id}` (the client chooses the id) or POSTed to `/<plural>` (the server does);
every other is POSTed to `/<plural>/{id}/<action>`.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from litestar import Request, Response, post, put
from structlog.contextvars import bind_contextvars

from command_api.headers import CommandHeaders, command_headers
from command_api.openapi import operation_for
from command_api.pipeline import Pipeline
from command_api.requests import CommandRequest, command_request, decode_command, server_named_id
from command_api.responses import REFUSALS, problem, success
from domain.model.aggregate import Aggregate, CommandType
from infrastructure.security.identity import identity_of
from infrastructure.security.policy import sender_of
from infrastructure.telemetry import TraceContext, current_trace, received_trace
from infrastructure.telemetry.spans import child_span, is_tracing

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

    async def handle(request: HttpRequest, named: str | None) -> Response[bytes]:
        headers = command_headers(request.scope["headers"])
        try:
            sender = sender_of(identity_of(request.scope), headers.actor, access)
            aggregate_id = named
            if aggregate_id is None:
                aggregate_id = server_named_id(command_type, headers.idempotency_key, sender.keys)
            command = decode_command(decoder, await request.body(), headers.content_type)
            with child_span(name, refusals=REFUSALS) as span:
                sent = command_request(command_type, aggregate_id, command, headers, _trace(headers), sender)
                bind_contextvars(correlation_id=sent.correlation_id)
                if named is None and sent.unscoped_key:
                    unscoped_id = server_named_id(command_type, sent.unscoped_key, "")
                    sent = await pipeline.as_first_sent(aggregate, sent, unscoped_id)
                if span.is_recording():
                    span.set_attributes(_described(aggregate, sent))
                result = await pipeline.handle(aggregate, command_type, sent)
        except REFUSALS as error:
            raise problem(error) from error
        return success(aggregate, command_type, sent.aggregate_id, result, sent.correlation_id)

    return handle


def _trace(headers: CommandHeaders) -> TraceContext:
    """What goes into the events: the span of the command, or what the client sent where no span is made."""
    return current_trace() if is_tracing() else received_trace(headers.traceparent, headers.tracestate)


def _described(aggregate: Aggregate, sent: CommandRequest) -> dict[str, str]:
    return {
        "eventfold.stream": aggregate.stream(sent.aggregate_id),
        "eventfold.command_id": sent.command_id,
        "eventfold.correlation_id": sent.correlation_id,
    }
