"""The same fault has the same fingerprint, whatever it happened to; another fault has another."""

import subprocess
import sys
import uuid
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.dead_letters.failure import Failure, failure_of, failure_told, fault_number
from infrastructure.dead_letters.masking import masked

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order o-1 of 17 lines", "order o-2345 of 3 lines"),
        ("no stream 6f9619ff-8b86-d011-b42d-00c04fc964ff", "no stream 0f3c19aa-0b86-d011-b42d-00c04fc96400"),
        ("at 2025-10-09T08:53:21.123Z", "at 2026-01-31T23:59:59Z"),
        ("total 12.50", "total -1,234"),
        ("<Order object at 0x7f3a1c2b>", "<Order object at 0x7ff000a1>"),
        ("missing lines 1, 2, 3", "missing lines 4"),
        ("unknown key 'k1'", 'unknown key "k2"'),
        (
            "Expected `int`, got `str` - at `$.items[0].quantity`",
            "Expected `int`, got `str` - at `$.items[41].quantity`",
        ),
        ("of [redacted] alone", "of x7 alone"),
        ("two  spaces\nand a line 1", "two spaces and a line 2"),
    ],
)
def test_what_differs_from_event_to_event_is_masked(one: str, other: str) -> None:
    assert masked(one) == masked(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("unknown currency", "unknown country"),
        ("'NoneType' object has no attribute 'total'", "'NoneType' object has no attribute 'lines'"),
        ("Expected `int`, got `str` - at `$.quantity`", "Expected `int`, got `str` - at `$.price`"),
        ("", "x"),
    ],
)
def test_what_tells_faults_apart_is_not(one: str, other: str) -> None:
    assert masked(one) != masked(other)


def raised(error: Exception, values: tuple[str, ...] = (), kind: str = "OrderPlaced") -> Failure:
    try:
        raise error
    except type(error) as caught:
        return failure_of(caught, kind, values)


def raised_elsewhere(error: Exception) -> Failure:
    try:
        raise error
    except type(error) as caught:
        return failure_of(caught, "OrderPlaced")


def test_type_place_and_event_type_tell_faults_apart() -> None:
    one = raised(ValueError("no"))
    assert one == raised(ValueError("no"))
    assert one.place == f"{__name__}:raised"
    others = [raised(TypeError("no")), raised(ValueError("no"), kind="OrderPaid"), raised_elsewhere(ValueError("no"))]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_the_place_is_in_our_code_though_a_library_raised() -> None:
    def reads() -> None:
        # The library and the standard library that raise are no place of ours; nor is the comprehension a function.
        [msgspec.json.decode(one) for one in (b"{",)]

    with pytest.raises(msgspec.DecodeError) as caught:
        reads()
    found = failure_of(caught.value, "x").place
    assert found == f"{__name__}:test_the_place_is_in_our_code_though_a_library_raised.<locals>.reads"


def test_a_group_of_one_is_its_one() -> None:
    inner = ValueError("no")
    assert failure_of(ExceptionGroup("in a task", [inner]), "x") == failure_of(inner, "x")


def test_a_record_of_an_older_release_has_a_fingerprint_by_its_text() -> None:
    one = failure_told("ValueError: order o-1 is odd", "OrderPlaced")
    assert one.fingerprint == failure_told("ValueError: order o-2 is odd", "OrderPlaced").fingerprint
    assert one.message == "ValueError: order # is odd"


def test_it_is_the_same_in_every_process() -> None:
    program = (
        "from infrastructure.dead_letters.failure import failure_told\n"
        "print(failure_told('ValueError: order o-1 is odd', 'OrderPlaced').fingerprint)"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert found == ["d4f96687b6a4"] * 2


@pytest.mark.parametrize("text", ["", "12", "ABCDEF012345", "0123456789ag", "0123456789abc", " 123456789ab"])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="12 hexadecimal"):
        fault_number(text)


WORDS = ("stock", "ledger", "missing", "twice", "closed", "negative", "unknown", "late")
values = st.one_of(
    st.uuids().map(str),
    st.integers().map(str),
    st.from_regex(r"[a-z]{1,8}-[0-9]{1,8}", fullmatch=True),
    st.text(min_size=1, max_size=20).map(lambda text: f"«{text}»"),
    st.text("ABCDEFGHIJ", min_size=1, max_size=12),
    st.text("'\"\\\n\t \N{ARABIC LETTER BEH}", min_size=1, max_size=6).map(lambda text: f"Q{text}Q"),
)
message = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)


@given(message, values, values, st.booleans())
def test_the_same_fault_of_another_event_is_the_same(words: list[str], one: str, other: str, quoted: bool) -> None:
    def told(value: str) -> str:
        named = repr(value) if quoted else value
        return raised(LookupError(f"{words[0]} {named} {' '.join(words[1:])}"), (value,)).fingerprint

    assert told(one) == told(other)


@given(message, message, values)
def test_other_words_are_another_fault(one: list[str], other: list[str], value: str) -> None:
    same = raised(LookupError(" ".join([*one, value])), (value,)) == raised(
        LookupError(" ".join([*other, value])), (value,)
    )
    assert same == (one == other)


@given(st.text(max_size=300), st.lists(st.text(max_size=10), max_size=5))
def test_any_message_has_a_fingerprint(text: str, some: list[str]) -> None:
    found = raised(ValueError(text), tuple(some))
    assert found.fault == fault_number(found.fingerprint) < 2**48
    assert masked(masked(text)) == masked(text)


def test_a_message_of_any_length_takes_little() -> None:
    found = failure_told("x" * 10_000_000, "x", [str(uuid.uuid4()) for _ in range(20_000)])
    assert len(found.message) == 300
