"""Ranges: every document whose number, date or time lies between two bounds."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from litestar.types import Scope

from infrastructure.read_store import Comparison, Page
from query_api.http.declared import compile_parameters, in_path, in_query_string, missing, owner_parameter
from query_api.http.kinds import described, parser
from query_api.http.ownership import filtered
from query_api.http.parameters import AT_LEAST, at_least
from query_api.http.problems import malformed
from query_api.http.public_schema import PublicSchema
from query_api.http.responses import Response, weak
from query_api.http.route import Route
from query_api.read_side import ReadSide
from read_models.model.parameter import Date, Kind, Parameter, Time
from read_models.model.query import RangeQuery
from read_models.model.view import View


def range_route(read_side: ReadSide, view: View, query: RangeQuery, schema: PublicSchema) -> Route:
    """The documents of the range, from the lowest to the highest."""
    read_filters = compile_parameters(query.path, query.filters, lambda one: one.filtered_field)
    ends, show = _Ends(query), schema.show
    access, owner = query.access, owner_parameter(query.access, query.filters)

    async def respond(scope: Scope, sent: Mapping[str, str]) -> Response:
        where = filtered(scope, access, read_filters(scope, sent), owner)
        where[query.field] = ends.read(sent)
        live = await read_side.live(view, at_least(sent))
        if live is None:
            return weak(scope, {"items": []})
        rows = await live.rows(Page(where, by=query.field, limit=query.greatest_rows + 1))
        if len(rows) > query.greatest_rows:
            raise malformed(f"the range holds more than {query.greatest_rows} rows; ask for a shorter one")
        return weak(scope, {"items": [show(row) for row in rows]})

    return Route(
        path=query.path,
        operation=query.operation,
        summary=query.summary,
        respond=respond,
        answer=schema.rows,
        description=query.description,
        parameters=(
            *in_query_string(query.path, query.filters),
            described(query.first, required=True),
            described(query.last, required=True),
            AT_LEAST,
        ),
        in_path=in_path(query.path, query.filters),
        access=access,
    )


class _Ends:
    """The two bounds of a range, both of the same kind."""

    def __init__(self, query: RangeQuery) -> None:
        self._first, self._last = query.first, query.last
        self._parse_first, self._parse_last = parser(query.first), parser(query.last)
        self._greatest_span = query.greatest_span
        self._kind = query.first.kind

    def read(self, sent: Mapping[str, str]) -> Comparison:
        """What the field must be like. Raises Problem (400) when a bound is missing or wrong, or the range too long."""
        first, first_text = _bound(sent, self._first, self._parse_first)
        last, last_text = _bound(sent, self._last, self._parse_last)
        names = self._first.name, self._last.name
        if first > last:
            raise malformed(f"{names[0]} ({first_text[:50]}) is after {names[1]} ({last_text[:50]})")
        span = _ordinal(self._kind, last) - _ordinal(self._kind, first) + 1
        if span > self._greatest_span:
            raise malformed(
                f"{names[0]} and {names[1]} span {span} {_unit(self._kind)}; "
                f"at most {self._greatest_span} are answered at once"
            )
        return Comparison(at_least=first, at_most=last)


def _bound(sent: Mapping[str, str], parameter: Parameter, parse: Any) -> tuple[int, str]:
    text = sent.get(parameter.name)
    if text is None:
        raise missing(parameter)
    return parse(text), text


def _ordinal(kind: Kind, value: int) -> int:
    """A number that rises by one from one value of the kind to the next."""
    if isinstance(kind, Date):
        return date(value // 10_000, value // 100 % 100, value % 100).toordinal()
    return value


def _unit(kind: Kind) -> str:
    if isinstance(kind, Date):
        return "days"
    return "milliseconds" if isinstance(kind, Time) else "numbers"
