"""One document by its key, as it is or, where the view allows it, as it was."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar.types import Scope

from domain.model.aggregate import Aggregate
from query_api.http.declared import in_path
from query_api.http.kinds import parser
from query_api.http.openapi import STREAM_REFUSALS
from query_api.http.ownership import concealing, is_visible
from query_api.http.parameters import AT_LEAST, RouteParameter, at_least
from query_api.http.problems import malformed, not_found
from query_api.http.public_schema import PublicSchema
from query_api.http.responses import Response, versioned, weak
from query_api.http.route import Route
from query_api.read_side import ReadSide
from query_api.streams.as_of import as_of_parameter, events_as_of, nothing_then
from query_api.streams.state import state_as_of
from query_api.streams.stream import decoded
from read_models.model.query import KeyQuery
from read_models.model.view import View

Answer = Callable[[Scope, dict[str, Any], int], Response]
"""answer(scope, fields of the document, its position) -> response."""

AsOf = Callable[[Scope, str, str], Awaitable[Response]]
"""as_of(scope, key, moment) -> response."""


def key_route(
    read_side: ReadSide, view: View, query: KeyQuery, schema: PublicSchema, aggregate: Aggregate | None
) -> Route:
    """`aggregate` is what can be asked for `as_of`: the one that the query names, whose stream the view folds; or else
    the one that has the query's path, whose own state is answered then."""
    answer, access = _answer(query, schema), query.access
    body: Any = schema.document
    as_of: AsOf | None = None
    if aggregate is not None and query.aggregate:
        as_of = _document_as_of(read_side, view, query, aggregate, answer)
    elif aggregate is not None:
        as_of, body = _state_as_of(read_side, aggregate), schema.document | aggregate.state
    return Route(
        path=query.path,
        operation=query.operation,
        summary=query.summary,
        respond=_respond(read_side, view, query, answer, as_of),
        answer=body,
        description=query.description,
        parameters=_parameters(aggregate),
        in_path=in_path(query.path, [query.key]),
        refusals={} if as_of is None else STREAM_REFUSALS,
        access=access,
        names_version=bool(query.version_field) or as_of is not None,
    )


def _parameters(aggregate: Aggregate | None) -> tuple[RouteParameter, ...]:
    return (AT_LEAST,) if aggregate is None else (AT_LEAST, as_of_parameter(aggregate))


def _respond(
    read_side: ReadSide, view: View, query: KeyQuery, answer: Answer, as_of: AsOf | None
) -> Callable[[Scope, Mapping[str, str]], Awaitable[Response]]:
    name, parse, noun, document = query.key.name, parser(query.key), query.noun, read_side.document
    access, owner = query.access, _owner(query)

    async def respond(scope: Scope, sent: Mapping[str, str]) -> Response:
        key = scope["path_params"][name]
        parse(key)
        if as_of is not None and "as_of" in sent:
            if "at_least" in sent:
                raise malformed("as_of reads the events themselves, so at_least can't be combined with it")
            return await as_of(scope, key, sent["as_of"])
        position = at_least(sent)
        stored = await document(view, key, position)
        if stored is None or stored.fields is None:
            raise not_found(f"{noun} {key}")
        if not is_visible(scope, access, stored.fields.get(owner)):
            if position is not None:
                await read_side.live(view, position)  # as long as it takes to find out that there is none
            raise not_found(f"{noun} {key}")
        return answer(scope, stored.fields, stored.position)

    return respond


def _owner(query: KeyQuery) -> str:
    return "" if query.access is None else query.access.owner


def _answer(query: KeyQuery, schema: PublicSchema) -> Answer:
    show, version = schema.show, query.version_field

    def with_version(scope: Scope, fields: dict[str, Any], position: int) -> Response:
        return versioned(scope, show(fields), fields[version], position)

    def with_content(scope: Scope, fields: dict[str, Any], position: int) -> Response:
        return weak(scope, show(fields), position)

    return with_version if version else with_content


def _document_as_of(read_side: ReadSide, view: View, query: KeyQuery, aggregate: Aggregate, answer: Answer) -> AsOf:
    access, owner = query.access, _owner(query)

    async def as_of(scope: Scope, key: str, moment: str) -> Response:
        document: Any = None
        position = -1
        absent = nothing_then(aggregate, key, moment)
        with concealing(scope, access, absent):
            # A snapshot holds the aggregate's state, not this document: all its events are needed.
            events = (await events_as_of(read_side, aggregate, key, moment)).require_whole()
            for recorded in decoded(await read_side.codec.decoder(events), events):
                if type(recorded.event) in view.events:
                    document = view.fold(document, recorded)
                    position = recorded.position
            if document is None:
                raise not_found(f"{query.noun} {key}")
        fields = msgspec.to_builtins(document)
        if not is_visible(scope, access, fields.get(owner)):
            raise absent
        return answer(scope, fields, position)

    return as_of


def _state_as_of(read_side: ReadSide, aggregate: Aggregate) -> AsOf:
    async def as_of(scope: Scope, key: str, moment: str) -> Response:
        return await state_as_of(read_side, aggregate, scope, key, moment)

    return as_of
