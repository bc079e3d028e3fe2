"""Filters in .NET's syntax, as the real server takes them."""

import re
import warnings

import pytest

from embedded.event_store_node.protocol.dotnet_regex import UnknownCategoryError, translated


@pytest.fixture(autouse=True)
def no_warnings() -> None:
    """Python warns of what it may understand otherwise one day."""
    warnings.simplefilter("error")


@pytest.mark.parametrize(
    ("regex", "accepted", "refused"),
    [
        (r"^order-(?<id>\d+)$", ["order-1", "order-12"], ["order-", "order-x"]),
        (r"^(?'a'x|y)\k'a'$", ["xx", "yy"], ["xy"]),
        (r"^(?<a>x|y)\k<a>$", ["xx"], ["yx"]),
        (r"\Aorder\z", ["order"], ["order\n", "my-order"]),
        (r"order\Z", ["order", "order\n"], ["order\n\n", "orders"]),
        (r"order$", ["order", "order\n"], ["orders"]),
        (r"^(?>a|ab)c$", ["ac"], ["abc"]),
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
        (r"(?<=order-)\d(?<!2)", ["order-1"], ["order-2", "1"]),
        (r"(?i)^placed$", ["PLACED"], ["replaced"]),
        (r"^(?!(\$.+|Paid)$)", ["Placed", "$"], ["$metadata", "Paid"]),
        (r"^a|b$", ["ax", "xb"], ["xa"]),
    ],
)
def test_what_is_meant(regex: str, accepted: list[str], refused: list[str]) -> None:
    search = re.compile(translated(regex)).search
    assert [name for name in accepted if search(name) is None] == []
    assert [name for name in refused if search(name) is not None] == []


@pytest.mark.parametrize(
    "regex", ["(?<=a+)b", "a(?i)b", "(?<a-b>x)", "(", "[a", "[a-[b]", "\\", r"\p{IsGreek}", r"\p{X}"]
)
def test_what_is_not_understood_is_refused(regex: str) -> None:
    with pytest.raises((re.error, UnknownCategoryError)):
        re.compile(translated(regex))
