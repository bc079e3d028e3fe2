"""Whether the queries that a view declares can work at all; checked when the query API is built.

A query does not bring its index about. Each index makes every write of the view dearer, so the view names the ones it
keeps, in one place; a query that none of them serves is refused here, before it can read a whole collection.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from read_models.model.parameter import Date, Identifier, OneOf, Parameter, Text, Time, WholeNumber
from read_models.model.query import CustomQuery, EvidenceQuery, FileQuery, KeyQuery, ListQuery, Query, RangeQuery
from read_models.model.reads import MOST_ROWS
from read_models.model.view import View

RESERVED = frozenset({"at_least", "as_of", "limit", "cursor"})
"""Parameters with a meaning of their own in every query."""

_PATH = re.compile(r"(/([a-z0-9-]+|\{[a-z][a-z0-9_]*\}))+")
_IN_PATH = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_TEXT_KINDS = (Identifier, OneOf, Text)


class _Fault(Exception):
    pass


def path_parameters(path: str) -> tuple[str, ...]:
    """The names in braces, in order."""
    return tuple(_IN_PATH.findall(path))


def declared_parameters(query: Query) -> tuple[Parameter, ...]:
    """Every parameter that a query declares, those in its path too."""
    match query:
        case KeyQuery() | FileQuery() | EvidenceQuery():
            return (query.key,)
        case ListQuery():
            return query.filters
        case RangeQuery():
            return (*query.filters, query.first, query.last)
        case CustomQuery():
            return query.parameters


def check_queries(view: View) -> None:
    """Raises ValueError, naming view and query, when one of the view's queries can't work."""
    try:
        _check_public_fields(view)
    except _Fault as fault:
        raise ValueError(f"view {view.name}: {fault}") from None
    for query in view.queries:
        try:
            _check(view, query)
        except _Fault as fault:
            raise ValueError(f"view {view.name}, query {query.operation}: {fault}") from None


def _check(view: View, query: Query) -> None:
    _check_path(query)
    owner = "" if query.access is None else query.access.owner
    if owner and not isinstance(query, CustomQuery):
        _check_owner(view, owner)
    match query:
        case KeyQuery():
            _check_key_query(view, query)
        case FileQuery():
            _check_file_query(view, query.key, [query.digest])
        case EvidenceQuery():
            _check_file_query(view, query.key, [field for _, field in query.files])
        case ListQuery():
            _check_filters(view, query.filters, query.sort)
            _check_integer(view, query.sort, "sorted by")
            _require(
                1 <= query.limit <= query.greatest_limit <= MOST_ROWS, f"1 <= limit <= greatest_limit <= {MOST_ROWS}"
            )
            _check_indexes(view, query.path, query.filters, query.sort, owner)
        case RangeQuery():
            _check_filters(view, query.filters, query.field)
            _check_integer(view, query.field, "the range is of")
            kinds = (type(query.first.kind), type(query.last.kind))
            _require(
                kinds[0] is kinds[1] and kinds[0] in (Date, Time, WholeNumber), "a range is of dates, times or numbers"
            )
            _require(query.greatest_span >= 1, "greatest_span is at least 1")
            _require(1 <= query.greatest_rows <= MOST_ROWS, f"greatest_rows is 1 to {MOST_ROWS}")
            _check_indexes(view, query.path, query.filters, query.field, owner)
        case CustomQuery():
            named = {parameter.name for parameter in query.parameters if isinstance(parameter.kind, Identifier)}
            _require(not owner or owner in named, f"the owner is {owner}, which is no identifier among its parameters")


def _check_path(query: Query) -> None:
    _require(_PATH.fullmatch(query.path) is not None, f"{query.path!r} is no path")
    in_path, declared = path_parameters(query.path), [parameter.name for parameter in declared_parameters(query)]
    for name, times in Counter(declared).items():
        _require(times == 1, f"parameter {name} is declared twice")
        _require(name not in RESERVED, f"parameter {name} has a meaning of its own")
    for name in in_path:
        _require(name in declared, f"path parameter {name} is not declared")
    _require(len(set(in_path)) == len(in_path), f"{query.path} holds a parameter twice")
    if isinstance(query, KeyQuery | FileQuery | EvidenceQuery):
        _require(in_path == (query.key.name,), f"{query.path} must hold the key {query.key.name} and nothing else")
    if isinstance(query, RangeQuery):
        _require(not {query.first.name, query.last.name} & set(in_path), "the ends of a range don't stand in the path")


def _check_key_query(view: View, query: KeyQuery) -> None:
    spelt_once = (Identifier, OneOf, Text, Date)
    _require(isinstance(query.key.kind, spelt_once), f"{query.key.name} is of a kind that has several spellings")
    if query.version_field:
        _check_integer(view, query.version_field, "the version is")
    if query.aggregate:
        _require(view.per_stream, f"as_of {query.aggregate} needs a view that is per_stream")


def _check_file_query(view: View, key: Parameter, digests: list[str]) -> None:
    spelt_once = (Identifier, OneOf, Text, Date)
    _require(isinstance(key.kind, spelt_once), f"{key.name} is of a kind that has several spellings")
    for digest in digests:
        field = _fields(view).get(digest)
        is_text = field is not None and field.type in (str, str | None)
        _require(is_text, f"the SHA-256 is {digest}, which is no text of {view.document.__name__}")


def _check_filters(view: View, filters: tuple[Parameter, ...], ordered_by: str) -> None:
    fields = _fields(view)
    filtered = Counter(parameter.filtered_field for parameter in filters)
    for parameter in filters:
        name = parameter.filtered_field
        _require(filtered[name] == 1, f"two parameters filter {name}")
        _require(name != ordered_by, f"{parameter.name} filters {name}, which documents are ordered by")
        _require(name in fields, f"{parameter.name} filters {name}, which is no field of {view.document.__name__}")
        kind = str if isinstance(parameter.kind, _TEXT_KINDS) else int
        _require(fields[name].type is kind, f"{parameter.name} is compared with {kind.__name__}, but {name} is not")
        _require(fields[name].required, f"{parameter.name} filters {name}, which not every document has")


def _check_integer(view: View, name: str, what: str) -> None:
    field = _fields(view).get(name)
    _require(field is not None, f"{what} {name}, which is no field of {view.document.__name__}")
    assert field is not None
    _require(field.type is int and field.required, f"{what} {name}, which is no int that every document has")


def _check_owner(view: View, name: str) -> None:
    field = _fields(view).get(name)
    owned = field is not None and field.type is str and field.required
    _require(owned, f"the owner is {name}, which is no text that every {view.document.__name__} has")


def _check_indexes(view: View, path: str, filters: Iterable[Parameter], then: str, owner: str) -> None:
    """Each filter that may be given needs an index that begins with it, after those that are always given. The owner is
    given wherever somebody sees what is their own alone."""
    in_path = path_parameters(path)
    always = {one.filtered_field for one in filters if one.required or one.name in in_path}
    owned = [{*always, owner}] if owner else []
    for wanted in [always, *owned, *({*always, one.filtered_field} for one in filters)]:
        needed = wanted if wanted == always else wanted - always
        _require(
            any(_serves(index, wanted, needed, then) for index in view.indexes),
            f"no index on {', '.join([*sorted(wanted), then])}",
        )


def _serves(index: tuple[str, ...], wanted: set[str], needed: set[str], then: str) -> bool:
    """Whether the index gives documents in order of `then`, with some of the fields `wanted` before it."""
    if then not in index:
        return False
    leading = set(index[: index.index(then)])
    return leading <= wanted and (bool(leading & needed) or not wanted)


def _check_public_fields(view: View) -> None:
    fields, public = _fields(view), view.public
    for name in (*(public.times or ()), *public.dates, *public.left_out, *(stored for stored, _ in public.renamed)):
        _require(name in fields, f"{name} is no field of {view.document.__name__}")
    for name in (*(public.times or ()), *public.dates):
        _require(_holds_int(fields[name].type), f"{name} is shown as a time or a date, but is no int")
    new_names = dict(public.renamed)
    shown = [new_names.get(name, name) for name in fields if name not in public.left_out]
    _require(len(set(shown)) == len(shown), "two fields are shown under one name")


def _holds_int(kind: Any) -> bool:
    return kind is int or kind == (int | None)


def _fields(view: View) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(view.document)}


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise _Fault(fault)
