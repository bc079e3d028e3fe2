"""Schemathesis hooks: requests that are right by the schema and refused all the same, each by a rule that JSON Schema
can't say. Every check stays on; only these refusals of a valid request are not counted as failures."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import schemathesis
from schemathesis.core.failures import ServerError
from schemathesis.openapi.checks import RejectedPositiveData

from command_api.headers import IF_MATCH_PATTERN

Rule = Callable[[Any, Any], bool]
"""rule(case, problem) -> whether the rule explains the refusal."""


def _header(case: Any, name: str) -> bool:
    return any(sent.lower() == name for sent in case.headers or {})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def another_version(case: Any, problem: Any) -> bool:
    """If-Match is made up, so that it names a version which the aggregate is not at: what the header is for."""
    return problem["status"] == 412 and _header(case, "if-match")


def key_of_another_command(case: Any, problem: Any) -> bool:
    """A short Idempotency-Key is drawn again and again, each time with another body: what the header is for."""
    return problem["status"] == 422 and _header(case, "idempotency-key")


def sums_of_an_order(_case: Any, problem: Any) -> bool:
    """A discount is at most quantity times price, and all lines together at most 2^53: products and sums."""
    pointers = {fault["pointer"] for fault in problem.get("errors", [])}
    return bool(pointers) and all(one == "/lines" or one.endswith("/discount") for one in pointers)


def years_of_an_order(_case: Any, problem: Any) -> bool:
    """`date-time` has no bounds in JSON Schema; `ordered_at` has: the years 1970 to 9998."""
    return [fault["pointer"] for fault in problem.get("errors", [])] == ["/ordered_at"]


def no_moment(_case: Any, problem: Any) -> bool:
    """A `format` says what a text is to be and rules nothing out: the empty text is a `date-time` to JSON Schema."""
    faults = problem.get("errors", [])
    return bool(faults) and all("Invalid RFC3339 encoded datetime" in fault["detail"] for fault in faults)


def whole_number_as_fraction(_case: Any, problem: Any) -> bool:
    """To JSON Schema 1.0 is an `integer`; the services take whole numbers only where they are written as such."""
    faults = problem.get("errors", [])
    return bool(faults) and all("Expected `int`, got `float`" in fault["detail"] for fault in faults)


def hidden_beyond_the_first_plane(case: Any, problem: Any) -> bool:
    """A pattern that every regular expression engine reads can't name the formatting, private and unassigned characters
    there."""
    if problem["type"] != "urn:eventfold:problem:invalid-command":
        return False
    characters = {one for text in _texts(case.body) for one in text}
    return any(ord(one) > 0xFFFF and unicodedata.category(one) in ("Cf", "Co", "Cn") for one in characters)


def made_up_cursor(case: Any, problem: Any) -> bool:
    """A cursor has a check sum over what it lists; one that a page gave is accepted."""
    return "cursor" in (case.query or {}) and problem["detail"].startswith("cursor ")


def two_moments(case: Any, problem: Any) -> bool:
    """`as_of` and `at_least` each are right, not together; JSON Schema sees one parameter at a time."""
    return {"as_of", "at_least"} <= (case.query or {}).keys() and "combined" in problem["detail"]


def range_upside_down_or_too_long(case: Any, problem: Any) -> bool:
    """`from` is at most `to`, and not too far from it: again, two parameters."""
    return {"from", "to"} <= (case.query or {}).keys() and any(
        words in problem["detail"] for words in (" is after ", " is above ", " span ")
    )


def no_token(_case: Any, problem: Any) -> bool:
    """A link's token is a JWT: that its parts are base64 of JSON, a pattern can't say."""
    return problem["type"] == "urn:eventfold:problem:malformed-signing-link"


RULES: tuple[Rule, ...] = (
    another_version,
    key_of_another_command,
    sums_of_an_order,
    years_of_an_order,
    no_moment,
    whole_number_as_fraction,
    hidden_beyond_the_first_plane,
    made_up_cursor,
    two_moments,
    range_upside_down_or_too_long,
    no_token,
)


def not_in_time(case: Any, problem: Any) -> bool:
    """What is waited for does not come about in the time that the request or the test's settings give: a view at a
    position, all handled within 1e-299 s, a consumer that has yet to begin, an answer to a probe within 2 s on a busy
    machine. 503 says so, as it should."""
    if case.operation.path == "/health/ready":
        return not problem["ready"]
    if case.operation.path == "/drain":
        return problem["type"] == "urn:eventfold:problem:not-drained"
    return "at_least" in (case.query or {}) and problem["type"] == "urn:eventfold:problem:view-behind"


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Whoever names a consumer that has yet to begin waits for as long as it says, or ten seconds: not here."""
    if case.operation.path == "/drain" and "consumer" in (case.query or {}) and _is_long(case.query.get("timeout", 10)):
        case.query = {**case.query, "timeout": 0.1}
    return case


def _is_long(timeout: Any) -> bool:
    try:
        return 0.1 < float(timeout) <= 300
    except (TypeError, ValueError):
        return False


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Schemathesis makes headers of letters and digits alone when it covers a schema. Where a pattern takes none of
    these, as that of If-Match with its quotes, it sends a wrong value in a request that it calls right."""
    sent = (case.headers or {}).get("If-Match")
    called_right = case.meta and case.meta.generation.mode.is_positive
    if called_right and sent is not None and not re.search(IF_MATCH_PATTERN, sent):
        case.headers["If-Match"] = "*"


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether the failure counts."""
    if isinstance(failure, ServerError) and response.status_code == 503:
        return not not_in_time(case, json.loads(response.content))
    if isinstance(failure, RejectedPositiveData):
        problem = {"detail": "", **json.loads(response.content)}
        return not any(rule(case, problem) for rule in RULES)
    return True
