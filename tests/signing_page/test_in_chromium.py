"""The whole way, as a customer goes it: the mail's link in a real Chromium, the document, the answer, its traces."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.signing_page.shop import Shop, open_shop
from tests.support.chromium import chromium_tab, needs_chromium
from tests.support.services import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """One for all of them; each has an order of its own."""
    async with open_shop(tmp_path_factory.mktemp("signing")) as open_one:
        yield open_one


@needs_chromium
async def test_a_customer_reads_and_signs(shop: Shop, tmp_path: Path) -> None:
    link = await shop.draw_up("o-1", "עדה לאבלייס")
    async with chromium_tab(tmp_path) as tab:
        await tab.open(link)
        await tab.shows("Sign the contract of order o-1")
        document = link.replace("/sign?", "/sign/document?")

        async def is_read() -> bool:
            return any(one["url"] == document and one["status"] == 200 for one in tab.responses)

        await until(is_read, f"the page shows the document; {tab.complaints}", 120)
        (read,) = {one["mimeType"] for one in tab.responses if one["url"] == document}
        assert read == "application/pdf"

        await tab.click("button[value=sign]")
        await tab.shows("Not yet signed: Sign the contract of order o-1")
        await tab.type("#name", "עדה לאבלייס")
        await tab.click("#consent")
        await tab.press("#name", "Enter", 13, "\r")
        await tab.shows("You have signed")
        assert "<bdi>עדה לאבלייס</bdi>" in await tab.html()
        assert [text for text in tab.complaints if "422" not in text] == []
        # What is within the browser, such as its viewer of documents, is asked of nobody.
        asked = [one for one in tab.requests if one["url"].startswith("http")]
        assert {one["url"].partition("?")[0] for one in asked} == {shop.page, f"{shop.page}/document"}
        assert not any("Referer" in one["headers"] for one in asked)
    sealed = await shop.is_at("o-1", "sealed")
    (signed,) = [one for one in await shop.history("o-1") if one["type"] == "ContractSigned"]
    assert (signed["name"], signed["address"], signed["channel"]) == ("עדה לאבלייס", "127.0.0.1", "link")
    assert "Chrome/" in signed["user_agent"]
    assert sealed["document_sha256"] == signed["document_sha256"]
    await shop.mail("o-1", "You have signed")


@needs_chromium
async def test_a_customer_declines_and_the_link_has_had_its_use(shop: Shop, tmp_path: Path) -> None:
    link = await shop.draw_up("o-2")
    status, kind, content = await shop.get(link.replace("/sign?", "/sign/document?"))
    assert (status, kind) == (200, "application/pdf")
    contract = await shop.is_at("o-2", "to_sign")
    assert hashlib.sha256(content).hexdigest() == contract["document_sha256"]
    async with chromium_tab(tmp_path) as tab:
        await tab.open(link)
        await tab.shows("Sign the contract of order o-2")
        await tab.press("#reason", "ArrowDown", 40)
        await tab.click("button[value=decline]")
        await tab.shows("You have declined")
        await shop.is_at("o-2", "declined")
        await tab.open(link)
        await tab.shows("This contract was declined")
        await tab.open(f"{link[:-9]}")
        await tab.shows("This link is not complete")
    (declined,) = [one for one in await shop.history("o-2") if one["type"] == "ContractDeclined"]
    assert declined["reason"] == "I have changed my mind"
    await shop.mail("o-2", "You have declined")


async def test_no_service_says_a_link_or_a_person_anywhere(shop: Shop) -> None:
    link = await shop.draw_up("o-3", "Canary Of The Contract")
    for url in (link, link.replace("/sign?", "/sign/document?"), link[:-3], f"{link}x"):
        await shop.get(url)
    said = {"logs": shop.logs(), "metrics": await shop.metrics()}

    async def have_come() -> bool:
        return any("signing-page" in span.service for span in shop.receiver.spans)

    await until(have_come, "the page's spans have come", 60)
    said["spans"] = repr(shop.receiver.spans)
    token = link.partition("token=")[2]
    for where, text in said.items():
        assert "/sign" in text, where
        for secret in (token, token.split(".")[1], token.split(".")[2], "Canary Of The Contract"):
            assert secret not in text, where
    assert not shop.receiver.holds([token, token.split(".")[2], "Canary Of The Contract"])
