"""Trace headers as W3C Trace Context has them: what is malformed is dropped, what is kept is bounded."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.telemetry import MAX_TRACESTATE, TraceContext, received_trace

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)


def carried(traceparent: list[str], tracestate: list[str] | None = None) -> TraceContext:
    """What an event carries when a command comes with these headers."""
    return received_trace(traceparent, tracestate or [])


def kept(*tracestate: str) -> str | None:
    """What is kept of a `tracestate` beside a traceparent that is right."""
    context = carried([TRACEPARENT], list(tracestate))
    assert context.traceparent == TRACEPARENT
    return context.tracestate


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x" * 20_000,
        TRACEPARENT.upper(),
        TRACEPARENT + "-",
        TRACEPARENT + "-more",
        TRACEPARENT[:-1],
        TRACEPARENT.replace("-", "_"),
        "ff" + TRACEPARENT[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-" + "x" * 20_000,
        TRACEPARENT.replace("4", "٤"),
        f"{TRACEPARENT},{TRACEPARENT}",
    ],
)
def test_a_malformed_traceparent_is_dropped_and_its_tracestate_with_it(header: str) -> None:
    assert carried([header], ["vendor=1"]) == TraceContext()


def test_a_tracestate_alone_and_two_traceparents_are_dropped() -> None:
    assert carried([], ["vendor=1"]) == TraceContext()
    assert carried([TRACEPARENT, TRACEPARENT], ["vendor=1"]) == TraceContext()


def test_a_later_version_is_read_as_far_as_this_one_goes() -> None:
    assert carried(["cc" + TRACEPARENT[2:] + "-what-comes"], ["a=1"]) == TraceContext(TRACEPARENT, "a=1")


@pytest.mark.parametrize(
    ("sent", "stays"),
    [
        (["a=1,b=2"], "a=1,b=2"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["a=1", "", ",,b=2 ,\t, c=3"], "a=1,b=2,c=3"),
        (["tenant@vendor=x y"], "tenant@vendor=x y"),
        ([""], None),
        ([" , "], None),
        (["a=1,a=2"], None),
        (["A=1"], None),
        (["a"], None),
        (["a=1=2"], None),
        (["a=é"], None),
        (["a=" + "x" * 257], None),
        (["k" * 257 + "=1"], None),
        ([",".join(f"k{n}=1" for n in range(32))], ",".join(f"k{n}=1" for n in range(32))),
        ([",".join(f"k{n}=1" for n in range(33))], None),
    ],
)
def test_a_tracestate_is_kept_by_its_grammar(sent: list[str], stays: str | None) -> None:
    assert kept(*sent) == stays


def test_512_characters_of_a_tracestate_are_kept_and_not_one_more() -> None:
    fits = "a=" + "x" * 253 + ",b=" + "y" * 254
    assert len(fits) == MAX_TRACESTATE
    assert kept(fits) == fits
    # One member of over 128 characters goes first, from the right, although a short one stands at the end.
    assert kept(fits + "y,c=3") == "a=" + "x" * 253 + ",c=3"
    short = [f"k{n:02}=" + "v" * 26 for n in range(20)]
    assert kept(",".join(short)) == ",".join(short[:16])
    assert kept("a=" + "x" * 130 + "," + ",".join(short)) == ",".join(short[:16])


headers = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=700)
near_parents = st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,5})?", fullmatch=True)
near_members = st.lists(
    st.from_regex(r"[a-z][a-z0-9_@*/-]{0,60}=[ -~]{0,80}", fullmatch=True) | st.just(""), max_size=40
).map(",".join)


@given(
    st.lists(headers | near_parents | st.just(TRACEPARENT), max_size=2), st.lists(headers | near_members, max_size=3)
)
def test_whatever_is_sent_an_event_carries_what_is_well_formed_and_bounded(
    traceparent: list[str], tracestate: list[str]
) -> None:
    context: Any = carried(traceparent, tracestate)
    if context.traceparent is None:
        assert context.tracestate is None
        return
    assert PARENT.fullmatch(context.traceparent)
    if context.tracestate is not None:
        members = context.tracestate.split(",")
        assert len(context.tracestate) <= MAX_TRACESTATE
        assert len(members) <= 32
        assert all(MEMBER.fullmatch(member) for member in members)
        assert len({member.partition("=")[0] for member in members}) == len(members)
