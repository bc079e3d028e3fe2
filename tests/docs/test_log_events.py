"""docs/log-events.md is what the code logs: every event, its levels and its fields; every field has a meaning."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.structure.test_classes import PRODUCT
from tests.support.services import ROOT

DOCUMENT = (ROOT / "docs/log-events.md").read_text()
LEVELS = ("debug", "info", "warning", "error", "critical")
# What these processes write is theirs alone: they stand for somebody else's server.
STAND_INS = "embedded"
# Events that are written in another way than by a call with a name in it: by whoever made this list.
ELSEWHERE: dict[str, tuple[set[str], set[str]]] = {
    "log lines were dropped": ({"warning"}, {"lines"}),
}
# What a line has without a call that names it: on every line, from the context, or made of exc_info.
ON_EVERY_LINE = {"time", "level", "event", "service", "version", "trace_id", "span_id", "correlation_id"}
PERSONAL = {"name", "email", "mail", "address", "recipient", "phone", "customer_name", "birthday"}


def calls(file: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call of a structlog logger in a module, with the method's name."""
    tree = ast.parse(file.read_text())
    loggers = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "structlog.get_logger" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in loggers:
                yield node, node.func.attr


def logged() -> dict[str, tuple[set[str], set[str]]]:
    """Every event of the product, with its levels and its fields; faults of the calls themselves are raised."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for package in PRODUCT:
        if package == STAND_INS:
            continue
        for file in sorted((ROOT / package).rglob("*.py")):
            for call, method in calls(file):
                where = f"{file.relative_to(ROOT)}:{call.lineno}"
                first = 1 if method == "log" else 0
                assert method in (*LEVELS, "exception", "log"), f"{where}: {method}"
                assert len(call.args) == first + 1, f"{where}: the event, and nothing else, is no keyword"
                event = call.args[first]
                assert isinstance(event, ast.Constant), f"{where}: an event's name is a literal"
                assert isinstance(event.value, str), where
                names = [keyword.arg for keyword in call.keywords]
                assert None not in names, f"{where}: fields are named one by one"
                levels, fields = found.setdefault(event.value, (set(), set()))
                levels |= {"error"} if method == "exception" else {"any"} if method == "log" else {method}
                fields |= {str(name) for name in names} - {"exc_info", "correlation_id"}
                if method == "exception" or "exc_info" in names:
                    fields.add("exception")
    return found


def rows(part: str) -> Iterator[list[str]]:
    """The rows of the table in a part of the document."""
    text = DOCUMENT.split(f"<!-- {part} -->")[1].split("<!-- end -->")[0]
    for line in text.splitlines()[1:]:
        if line.startswith("|") and not line.startswith(("|--", "| event |", "| field |")):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_every_event_is_in_the_table_with_its_levels_and_fields():
    documented = {
        event.strip("`"): (set(re.findall(r"\w+", levels)), set(re.findall(r"`(\w+)`", fields)))
        for event, levels, fields, _ in rows("events")
    }
    context = {field for _, _, fields, _ in rows("events") for field in re.findall(r"\((\w+)\)", fields)}
    assert documented == {**ELSEWHERE, **logged()}
    assert context <= fields_explained()


def test_every_field_is_explained_and_none_is_personal():
    used = set().union(*(fields for _, fields in ({**ELSEWHERE, **logged()}).values()))
    assert fields_explained() == used | ON_EVERY_LINE
    assert not used & PERSONAL


def fields_explained() -> set[str]:
    return {field.strip("`") for field, _ in rows("fields")}


def test_nothing_but_structlog_is_logged_with():
    for package in PRODUCT:
        if package == STAND_INS:
            continue
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text()
            assert "logging.getLogger(__name__)" not in text, file
            # A logger with another name, or a bound one, would escape the table.
            made = text.count("structlog.get_logger(")
            assert made == text.count("\nlog = structlog.get_logger(__name__)\n"), file
