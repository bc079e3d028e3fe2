"""What a program reads out of a contract's PDF: the text itself, whatever its script, over all of its pages."""

import asyncio
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from msgspec.structs import replace

from application.contracts.wording import TEMPLATE, values
from domain.documents.events import ContractLine, ContractRequested
from infrastructure.outside.pdf import RenderFailed
from infrastructure.outside.pdf.typst_renderer import TypstRenderer
from tests.support.contracts import REQUESTED
from tests.support.decider import NOON

pytestmark = pytest.mark.skipif(find_spec("typst") is None, reason="needs typst: pip install 'eventfold[documents]'")
with_poppler = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="needs pdftotext: apt-get install poppler-utils"
)

# It marks where the direction of writing changes; the names themselves hold none of these.
_MARKS = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u200e\u200f"))


async def text_of(event: ContractRequested, folder: Path) -> str:
    """As pdftotext finds it, without the marks of direction that it adds."""
    path = folder / "contract.pdf"
    path.write_bytes(await TypstRenderer().render(TEMPLATE, values(event), NOON))
    said = await asyncio.to_thread(subprocess.run, ["pdftotext", "-layout", str(path), "-"], capture_output=True)
    return said.stdout.decode().translate(_MARKS)


@with_poppler
@pytest.mark.parametrize("name", ["محمد علي", "יוסף כהן", "Юрий Гагарин", "Łukasz Ñandú", "मोहन दास"])
async def test_a_name_comes_out_as_it_was_given_in_logical_order(name: str, tmp_path: Path) -> None:
    assert re.search(rf"Customer +{name}\n", await text_of(replace(REQUESTED, customer_name=name), tmp_path))


@with_poppler
@pytest.mark.parametrize("name", ["Łukasz יוסף Ωμέγα", "Ada عمر Lovelace", "علی\u200cرضا"])
async def test_of_a_name_in_two_directions_all_letters_come_out_in_logical_order(name: str, tmp_path: Path) -> None:
    """Where words of two directions meet, pdftotext guesses where the blanks and the joiners stand."""
    said = await text_of(replace(REQUESTED, customer_name=name), tmp_path)
    without = re.compile("[\\s\u200c]")
    assert f"Customer{without.sub('', name)}Customernumber" in without.sub("", said)


@with_poppler
async def test_five_hundred_lines_stand_on_their_pages_in_order_each_page_with_the_head(tmp_path: Path) -> None:
    lines = [ContractLine(f"article-{number}", 1, 100, 0, 100) for number in range(500)]
    said = await text_of(replace(REQUESTED, lines=lines, total=50_000), tmp_path)
    assert re.findall(r"article-\d+", said) == [line.sku for line in lines]
    *pages, rest = said.split("\f")
    assert (len(pages), rest) == (12, "")
    for number, page in enumerate(pages, start=1):
        assert re.search(r"No\. +Article +Quantity +Price +Discount +Total", page)
        assert f"Page {number} of 12" in page
    assert "Total: 500.00 USD" in pages[-1]


@pytest.mark.parametrize("missing", sorted(values(REQUESTED)))
async def test_a_value_that_the_template_needs_is_named_where_it_is_missing(missing: str) -> None:
    given = {name: value for name, value in values(REQUESTED).items() if name != missing}
    with pytest.raises(RenderFailed, match=f"order-contract, version 1: the value {missing} is missing"):
        await TypstRenderer().render(TEMPLATE, given, NOON)


@pytest.mark.parametrize("missing", ["sku", "quantity", "unit_price", "discount", "total"])
async def test_so_is_one_of_a_line(missing: str) -> None:
    whole = values(REQUESTED)
    lines = [{name: value for name, value in line.items() if name != missing} for line in whole["lines"]]
    with pytest.raises(RenderFailed, match=f"order-contract, version 1: the value {missing} is missing"):
        await TypstRenderer().render(TEMPLATE, {**whole, "lines": lines}, NOON)


@pytest.mark.parametrize("name", ["Ada\x00Lovelace", "Ada\nLovelace", "\u202eecalevoL", "Ada\x1b[2J", "\ue000"])
async def test_a_name_with_what_does_not_show_stands_in_no_contract(name: str) -> None:
    with pytest.raises(RenderFailed, match="order-contract, version 1: /customer_name has characters that don't show"):
        await TypstRenderer().render(TEMPLATE, values(replace(REQUESTED, customer_name=name)), NOON)
