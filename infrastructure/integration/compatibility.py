"""Whether a schema may take the place of a released one, without a new version."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Reader = Literal["consumers", "log"]
"""Who must get along: consumers of a published event, who read what is written from now on by the released schema; or
our code, which reads by the new schema what the log has by the released one."""

_OF_PEOPLE = frozenset({"title", "description", "$defs", "default", "examples"})


def breaks(released: Mapping[str, Any], now: Mapping[str, Any], reader: Reader) -> Iterator[str]:
    """What of the change would break the reader, each with the path of the field; nothing where all is well.

    For both a field must stay and keep its type. A new field never breaks a consumer, who passes over what is unknown;
    for the log it must have a default, since what was written before does not have it. A field that need not be there
    any more breaks a consumer alone; one that must be there from now on breaks the log alone.
    """
    yield from _schemas(_resolved(released, released), _resolved(now, now), "", reader, released, now)


def _schemas(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str, reader: Reader, old_root: Any, new_root: Any
) -> Iterator[str]:
    where = path or "the event"
    if "anyOf" in old or "anyOf" in new:
        yield from _alternatives(old, new, where, reader, old_root, new_root)
        return
    if "enum" in old and "enum" in new:
        gone, added = _without(old["enum"], new["enum"]), _without(new["enum"], old["enum"])
        if reader == "log" and gone:
            yield f"{where}: {gone[0]!r} is no value of it any more"
        if reader == "consumers" and added:
            yield f"{where}: {added[0]!r} is a new value of it"
        return
    if old.get("properties") is None or new.get("properties") is None:
        yield from _values(old, new, where, reader, old_root, new_root)
        return
    before, after = old["properties"], new["properties"]
    needed_before, needed = set(old.get("required", ())), set(new.get("required", ()))
    prefix = f"{path}." if path else ""
    for name in before:
        if name not in after:
            yield f"{prefix}{name}: is removed"
            continue
        if reader == "log" and name in needed - needed_before:
            yield f"{prefix}{name}: is required, and what was written before may lack it"
        if reader == "consumers" and name in needed_before - needed:
            yield f"{prefix}{name}: may be missing, and consumers count on it"
        yield from _schemas(
            _resolved(before[name], old_root),
            _resolved(after[name], new_root),
            prefix + name,
            reader,
            old_root,
            new_root,
        )
    for name in after:
        if name not in before and reader == "log" and name in needed:
            yield f"{prefix}{name}: is new and required, and what was written before lacks it"


def _values(
    old: Mapping[str, Any], new: Mapping[str, Any], where: str, reader: Reader, old_root: Any, new_root: Any
) -> Iterator[str]:
    """Of what is no object with named fields: its type and every bound of it stay as they are."""
    inner = ("items", "additionalProperties")
    for name in sorted((old.keys() | new.keys()) - _OF_PEOPLE - {*inner}):
        if old.get(name) != new.get(name):
            yield f"{where}: its {name} was {old.get(name, 'not said')!r} and is {new.get(name, 'not said')!r}"
    for name in inner:
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _schemas(
                _resolved(before, old_root), _resolved(after, new_root), f"{where}[]", reader, old_root, new_root
            )
        elif before != after:
            yield f"{where}: its {name} have changed"


def _alternatives(
    old: Mapping[str, Any], new: Mapping[str, Any], where: str, reader: Reader, old_root: Any, new_root: Any
) -> Iterator[str]:
    """Each type that the reader may meet must be one that it knows."""
    befores = [_resolved(one, old_root) for one in old.get("anyOf", [old])]
    afters = [_resolved(one, new_root) for one in new.get("anyOf", [new])]

    def fits(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        return next(_schemas(before, after, where, reader, old_root, new_root), None) is None

    if reader == "log":
        lost = [one for one in befores if not any(fits(one, after) for after in afters)]
        if lost:
            yield f"{where}: may not be {_named(lost[0])} any more"
    else:
        strange = [one for one in afters if not any(fits(before, one) for before in befores)]
        if strange:
            yield f"{where}: may be {_named(strange[0])} from now on"


def _named(schema: Mapping[str, Any]) -> str:
    return str(schema.get("title") or schema.get("type") or "another value")


def _without(values: list[Any], others: list[Any]) -> list[Any]:
    return [one for one in values if one not in others]


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    seen: set[str] = set()
    while "$ref" in schema and schema["$ref"] not in seen:
        seen.add(schema["$ref"])
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema
