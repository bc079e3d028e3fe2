"""Filters in .NET's syntax, as the real server takes them."""

import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedded.event_store_node.protocol.dotnet_regex import InvalidRegexError, translated
from embedded.event_store_node.protocol.matching import (
    MAX_PREFIXES,
    MAX_PREFIXES_LENGTH,
    MAX_REGEX_LENGTH,
    prefix_matcher,
    regex_matcher,
)

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("regex", "accepted", "refused"),
    [
        (r"^order-(?<id>\d+)$", ["order-1", "order-12"], ["order-", "order-x"]),
        (r"\Aorder\z", ["order"], ["order\n", "my-order"]),
        (r"order\Z", ["order", "order\n"], ["order\n\n", "orders"]),
        (r"order$", ["order", "order\n"], ["orders"]),
        (r"^\p{Lu}\p{Ll}+$", ["Placed", "Éteint", "Ωmega"], ["placed", "PLACED", "P1"]),
        (r"^[\p{L}\p{Nd}_]+$", ["ünder_9", "x٣"], ["a-b", "a b"]),
        (r"^\P{L}$", ["1", "-", "😀"], ["a", "é"]),
        (r"^[\P{L}a]$", ["a", "1"], ["b"]),
        (r"^[^\p{L}]$", ["1"], ["é"]),
        (r"^[a-z-[aeiou]]+$", ["xyz"], ["xaz", "x]"]),
        (r"^[a-z-[\p{Lu}m]]$", ["a"], ["m", "A"]),
        (r"^[^0-9-[a]]$", ["b"], ["a", "1"]),
        (r"^[]a]$", ["]", "a"], ["b"]),
        (r"^[^]a]$", ["b"], ["]", "a"]),
        (r"^[[\]-]+$", ["[]-"], ["a"]),
        (r"^[a&&b||c~~]$", ["&", "|", "~", "a"], ["d"]),
        (r"^a{,2}$", ["a{,2}"], ["", "aa"]),
        (r"^a{1,2}$", ["a", "aa"], ["", "aaa"]),
        (r"\[x\]\\z", [r"[x]\z"], ["x"]),
        (r"\(?<a>", ["(<a>", "<a>"], ["a"]),
        (r"(?i)^placed$", ["PLACED"], ["replaced"]),
        (r"^(?!(\$.+|Paid)$)", ["Placed", "$"], ["$metadata", "Paid"]),
        (r"^a|b$", ["ax", "xb"], ["xa"]),
        (r"^[^\$].*", ["Placed", "x$"], ["$metadata", ""]),
        (r"^(?!(Paid$|\$.+$))", ["Placed", "Paid2", "$"], ["$metadata", "Paid"]),
        (r"^order-(?!test-)(?=.*\d$).+", ["order-1"], ["order-test-1", "order-x", "my-order-1"]),
        (r"^(?!a)|^ab$", ["b", "ab", ""], ["a", "abc"]),
        (r"(?i)^(?!a)b|C", ["B", "xc"], ["A", "ab"]),
        (r"^(?i:a)b|(?-i)c$", ["Ab", "c"], ["AB", "C"]),
        (r"a(?i)b", ["ab", "aB"], ["Ab"]),
        (r"^(?'a'x|y)(?:z)(?#what follows)!$", ["xz!"], ["z!"]),
        (r"^[\w-]+\s\d\D\W\S$", ["é-_ ٣x-y"], ["é-_ xx-y"]),
        (r"^[\x41\u0042\cA\b\-\n]+$", ["AB\x01\b-\n"], ["C"]),
        (r"^\x41\e\0$", ["A\x1b\0"], ["A"]),
        (r"^a{2}{$", ["aa{"], ["a{"]),
        (r"^.$", ["é", "😀", "$"], ["", "\n", "ab"]),
        (r"(?s)^a.b$", ["a\nb"], ["ab"]),
        (r"(?m)^b$", ["a\nb\nc", "b"], ["ab"]),
        (r"^[a-z-[a-z]]$", [], ["a", "", "-"]),
        (r"^\bPaid\b", ["Paid", "Paid-1"], ["Paid1"]),
    ],
)
def test_what_is_meant(regex: str, accepted: list[str], refused: list[str]) -> None:
    matches = regex_matcher(regex)
    assert [name for name in accepted if not matches(name)] == []
    assert [name for name in refused if matches(name)] == []


@pytest.mark.parametrize(
    ("regex", "said"),
    [
        ("(?<=a)b", "a look-behind is not understood (at 0)"),
        ("a(?<!b)", "a look-behind is not understood (at 1)"),
        (r"(a)\1", "a back-reference is not understood (at 3)"),
        (r"(?<a>x)\k<a>", "a back-reference is not understood (at 7)"),
        ("(?>a|ab)c", "an atomic group is not understood (at 0)"),
        ("(?<a-b>x)", "a balancing group"),
        ("(?(1)a|b)", "a condition is not understood"),
        ("(?x)a b", "the option x is not understood"),
        ("(?P<a>x)", "this kind of group is not understood"),
        ("a(?!b)", "a look-ahead that is not at a fixed distance behind the start is not understood (at 1)"),
        ("^a*(?!b)", "a look-ahead that is not at a fixed distance"),
        ("(?m)^(?!b)", "a look-ahead that is not at a fixed distance"),
        ("^(?!b)*a", "a look-ahead that is repeated is not understood"),
        ("^((?!b).)*$", "a look-ahead inside of a group is not understood (at 2)"),
        ("^(?!a(?=b))", "a look-ahead inside of a group is not understood (at 5)"),
        ("(", "a ) is missing"),
        (")", "there are too many )"),
        ("(?!a", "a ) is missing"),
        ("[a", "a ] is missing"),
        ("[a-[b]", "nothing may follow the class that is taken away"),
        ("[a-[b]c]", "nothing may follow the class that is taken away"),
        ("[z-a]", "a range of characters is reversed"),
        ("\\", "is not understood (at 0)"),
        (r"\Q", r"\Q is not understood"),
        (r"\pL", r"\p is not understood"),
        (r"\p{IsGreek}", "the category IsGreek is not known"),
        (r"\p{X}", "the category X is not known"),
        ("a**", "**"),
        ("a{1001}", "1001 characters in repetitions"),
        ("((a{100}){100}){100}", "1000000 characters in repetitions"),
        ("[a-" * 2500, "nested too deeply"),
        ("(([ab]*a){0,90}.{1,90}){90}d", "24300 characters in repetitions, 300 are the most"),
        ("a{301}", "301 characters in repetitions"),
        ("(ab?){160}", "320 characters in repetitions"),
        ("((a{20})?b{20}){10}c", "400 characters in repetitions"),
        ("a" * (MAX_REGEX_LENGTH + 1), f"{MAX_REGEX_LENGTH} are the most"),
        (r"\p{L}" * 2000, ""),
    ],
)
def test_what_is_not_understood_is_refused_by_name(regex: str, said: str) -> None:
    with pytest.raises(InvalidRegexError) as refused:
        regex_matcher(regex)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("regex", "repeated"),
    [
        ("abc", 0),
        ("ab*", 1),
        ("(ab)*", 2),
        ("(ab*)?c", 1),
        ("a{3}", 3),
        ("(a{3}b)+", 4),
        ("(a{3}b){2,5}", 20),
        ("[a-z]{2}.*", 3),
    ],
)
def test_what_is_in_repetitions_is_counted(regex: str, repeated: int) -> None:
    assert translated(regex).repeated == repeated


def test_prefixes_have_bounds() -> None:
    assert prefix_matcher(("a",) * MAX_PREFIXES)("ab")
    for prefixes in (("a",) * (MAX_PREFIXES + 1), ("a" * (MAX_PREFIXES_LENGTH + 1),)):
        with pytest.raises(InvalidRegexError):
            prefix_matcher(prefixes)


ATOMS = st.one_of(
    st.sampled_from(
        ["a", "b", "-", "$", ".", r"\$", "^", "[ab]", "[^a]", "[a-c-]", r"\d", r"\w", r"[\W1]", "", r"\b", r"\."]
    ),
    st.sampled_from("abc1"),
)
REGEXES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.builds("({}){}".format, inner, st.sampled_from(["", "*", "+", "?", "{2}", "{1,2}", "*?"])),
    ),
    max_leaves=8,
)
LOOKING_AHEAD = st.builds(
    "{}{}(?{}{}){}".format,
    st.sampled_from("^"),
    st.sampled_from(["", "a", "[ab]"]),
    st.sampled_from("=!"),
    REGEXES,
    REGEXES,
)


@unhurried
@given(
    st.one_of(REGEXES, LOOKING_AHEAD, st.builds("{}|{}".format, LOOKING_AHEAD, REGEXES)),
    st.lists(st.text("abc1-$. \n", max_size=6), max_size=12),
)
def test_it_finds_what_a_backtracking_engine_finds(regex: str, names: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = re.compile(regex)
    matches = regex_matcher(regex)
    for name in names:
        assert matches(name) is (expected.search(name) is not None), name


@unhurried
@given(st.text(max_size=20), st.text(max_size=10))
def test_any_text_is_an_expression_or_is_refused(regex: str, name: str) -> None:
    try:
        matches = regex_matcher(regex)
    except InvalidRegexError:
        return
    assert matches(name) in (True, False)
