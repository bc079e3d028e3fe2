"""Guards the subset of MongoDB that is safe on every supported read store.

Checked where names and types are declared and where queries are made, not for every value written: a view's documents
come from typed Structs, so checking the types once is enough.
"""

import re
import types
import typing
from typing import Any

import msgspec
from msgspec import Struct

from infrastructure.read_store.errors import UnsafeForReadStore
from infrastructure.read_store.page import Comparison, Scalar, Where

_COLLECTION = re.compile(r"[a-z][a-z0-9_]{0,99}")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SQL_KEYWORDS = frozenset(
    "all alter and as between by case check create cross delete desc distinct drop else exists from group having in "
    "index inner insert into is join key left like limit not null on or order primary references right select set "
    "table then to transaction union unique update using values view when where with".split()
)
_SCALARS = (str, int, float, bool)


def check_collection(name: str) -> None:
    """Raises UnsafeForReadStore unless `name` is a safe collection name."""
    if not _COLLECTION.fullmatch(name) or name in _SQL_KEYWORDS or name.endswith(("_files", "_chunks")):
        raise UnsafeForReadStore(f"{name!r} is no safe collection name")


def check_document_type(struct: type[Struct]) -> None:
    """Raises UnsafeForReadStore when documents of the type could hold something unsafe, naming the field."""
    for field in msgspec.structs.fields(struct):
        where = f"{struct.__name__}.{field.encode_name}"
        if field.encode_name == "id" or not _FIELD.fullmatch(field.encode_name):
            raise UnsafeForReadStore(f"{where}: the field's name is not safe")
        left_out = field.default is None and struct.__struct_config__.omit_defaults
        _check_type(field.type, where, optional=left_out)


def _check_type(kind: Any, where: str, *, optional: bool = False) -> None:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        kinds = [one for one in arguments if not (optional and one is type(None))]
        if len(kinds) != 1:
            raise UnsafeForReadStore(f"{where}: one type per field, and None only where it is left out, not {kind}")
        _check_type(kinds[0], where)
    elif origin is list:
        _check_type(arguments[0], f"{where}[]")
    elif origin is dict:
        if arguments[0] is not str:
            raise UnsafeForReadStore(f"{where}: keys are str")
        _check_type(arguments[1], f"{where}{{}}")
    elif isinstance(kind, type) and issubclass(kind, Struct):
        check_document_type(kind)
    elif kind not in _SCALARS:
        raise UnsafeForReadStore(f"{where}: {kind} is not str, int, float, bool, list or dict")


def check_index(fields: tuple[str, ...], struct: type[Struct]) -> None:
    """Raises UnsafeForReadStore unless every field is a scalar of the document that is always there."""
    declared = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name in fields:
        if name not in declared or declared[name].type not in _SCALARS:
            raise UnsafeForReadStore(f"{struct.__name__}.{name}: an index is on a scalar that is always there")


def mongo_filter(where: Where) -> dict[str, Any]:
    """The filter in MongoDB's query language. Raises UnsafeForReadStore unless it compares plain scalars only."""
    return {field: _condition(field, condition) for field, condition in where.items()}


_OPERATORS = {"above": "$gt", "at_least": "$gte", "at_most": "$lte", "below": "$lt"}


def _condition(field: str, value: Scalar | Comparison) -> Any:
    if not _FIELD.fullmatch(field):
        raise UnsafeForReadStore(f"filter on {field!r}")
    if not isinstance(value, Comparison):
        return _scalar(field, value)
    bounds = [(operator, getattr(value, name)) for name, operator in _OPERATORS.items()]
    condition: dict[str, Any] = {operator: _scalar(field, bound) for operator, bound in bounds if bound is not None}
    if value.one_of is not None:
        condition["$in"] = [_scalar(field, one) for one in value.one_of]
    if not condition:
        raise UnsafeForReadStore(f"filter on {field!r}: a comparison without a bound")
    return condition


def _scalar(field: str, value: Any) -> Any:
    if type(value) not in _SCALARS:
        raise UnsafeForReadStore(f"filter on {field!r}: {value!r} is not str, int, float or bool")
    return value
