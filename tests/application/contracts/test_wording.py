"""What a contract looks like: every published version as it was, long orders, and what the values are."""

import hashlib
from importlib.util import find_spec

import pytest
from msgspec.structs import replace

from application.contracts.templates import load_template
from application.contracts.wording import TEMPLATE, values
from domain.documents.events import ContractLine
from infrastructure.outside.pdf.typst_renderer import TypstRenderer
from tests.support.contracts import REQUESTED
from tests.support.decider import NOON

PUBLISHED = {
    ("order-contract", 1): "48e46be560879d1e63030dd3c1874c3e08a2c0f76eba56190a2f161eb28d5693",
    ("order-completion", 1): "c29ab6b5d3117d399adcad4aac0ddd53ff51c7f9cf9aecace0995301e99eac60",
}


def test_a_published_version_is_never_changed() -> None:
    for (name, version), digest in PUBLISHED.items():
        source = load_template(name, version).source.encode()
        assert hashlib.sha256(source).hexdigest() == digest, "a new wording is a new version"
    assert (TEMPLATE.name, TEMPLATE.version) in PUBLISHED
    with pytest.raises(FileNotFoundError):
        load_template("order-contract", 99)


def test_the_values_are_texts_for_people() -> None:
    said = values(REQUESTED)
    assert said["total"] == "4.39 USD"
    assert said["confirmed_at"] == "14 March 2026 (UTC)"
    assert said["lines"][0] == {
        "sku": "apple",
        "quantity": "3",
        "unit_price": "0.50 USD",
        "discount": "0.10 USD",
        "total": "1.40 USD",
    }
    assert said["lines"][1]["discount"] == ""


@pytest.mark.skipif(find_spec("typst") is None, reason="needs typst: pip install 'eventfold[documents]'")
async def test_five_hundred_lines_go_over_pages_and_the_same_order_gives_the_same_bytes() -> None:
    lines = [ContractLine(f"article-{number}", 1, 100, 0, 100) for number in range(500)]
    event = replace(REQUESTED, lines=lines, total=50_000, customer_name="يوسف Łukasz")
    long = await TypstRenderer().render(TEMPLATE, values(event), NOON)
    assert b"/Type/Pages/Count 12/" in long
    assert long == await TypstRenderer().render(TEMPLATE, values(event), NOON)
