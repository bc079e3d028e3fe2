"""What people do with the stack of compose.yaml, at its published ports: `python walk.py STAFF-TOKEN CUSTOMER-TOKEN`.

An order is placed, paid, confirmed, its contract signed by the link of the mail, and the evidence fetched. Prints how
the order and its contract stand in the end, as JSON. Run in the network of the containers.
"""

import asyncio
import io
import json
import re
import sys
import zipfile
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

COMMANDS, QUERIES, MAILS = "http://127.0.0.1:8001", "http://127.0.0.1:8002", "http://127.0.0.1:8026/api/v1"
RELAY, SIGNING = "http://127.0.0.1:8006", "http://127.0.0.1:8027"
ORDER = {
    "customer_id": "ada",
    "currency": "USD",
    "lines": [{"sku": "tea", "quantity": 2, "unit_price": 450}, {"sku": "cup", "quantity": 1, "unit_price": 1000}],
}


async def main(staff: str, customer: str) -> None:
    async with aiohttp.ClientSession() as http:

        async def ask(method: str, url: str, token: str, body: Any = None) -> Any:
            async with http.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"}) as answer:
                return await answer.json() if answer.status < 300 else None

        for sku in ("tea", "cup"):
            assert await ask("POST", f"{COMMANDS}/stock/{sku}/receive", staff, {"quantity": 10})
        ada = {"name": "Ada Lovelace", "email": "ada@example.com"}
        assert await ask("PUT", f"{COMMANDS}/customers/ada", customer, ada)
        assert await ask("PUT", f"{COMMANDS}/orders/o-1", customer, ORDER)
        order = await until(
            lambda: ask("GET", f"{QUERIES}/orders/o-1", customer), lambda one: one["status"] == "confirmed"
        )
        link = await until(lambda: sent_link(http), bool)
        page = await text(http, link)
        token = re.findall(r'name="token" value="([^"]+)"', page)[0]  # the first form is for signing
        (consent,) = re.findall(r'name="consent"[^>]*value="([^"]+)"', page)
        form = {"token": token, "name": "Ada Lovelace", "consent": consent, "action": "sign"}
        async with http.post(f"{SIGNING}/sign", data=form) as answer:
            assert answer.status in (200, 303), await answer.text()
        contract = await until(
            lambda: ask("GET", f"{QUERIES}/contracts/o-1", customer),
            lambda one: one["status"] == "sealed" and one.get("completed_at"),
        )
        headers = {"Authorization": f"Bearer {customer}"}
        async with http.get(f"{QUERIES}/orders/o-1/evidence", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            bundle = zipfile.ZipFile(io.BytesIO(await answer.read()))
        pdfs = [bundle.read(name)[:5] for name in bundle.namelist() if name.endswith(".pdf")]
        published = await until(lambda: relayed(http, staff), bool)
        print(
            json.dumps(
                {"order": order["status"], "contract": contract["status"], "pdfs": len(pdfs), "event": published}
            )
        )
        assert set(pdfs) == {b"%PDF-"}


async def until(asked: Callable[[], Awaitable[Any]], good: Callable[[Any], bool]) -> Any:
    """The first answer that is good; what was told last, if there is none within two minutes."""
    found = None
    try:
        async with asyncio.timeout(120):
            while (found := await asked()) is None or not good(found):
                await asyncio.sleep(0.2)
    except TimeoutError:
        sys.exit(f"not within two minutes; in the end: {found}")
    return found


async def sent_link(http: aiohttp.ClientSession) -> str:
    """The link to the signing page, out of the mail; empty before it is there."""
    async with http.get(f"{MAILS}/messages") as answer:
        listed = (await answer.json())["messages"]
    for one in listed:
        async with http.get(f"{MAILS}/message/{one['ID']}") as answer:
            found = re.search(r"http://\S+/sign\?token=\S+", (await answer.json())["Text"])
        if found:
            return found.group()
    return ""


async def text(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def relayed(http: aiohttp.ClientSession, token: str) -> str:
    """The type of the first event that the relay publishes."""
    headers = {"Authorization": f"Bearer {token}"}
    async with http.get(f"{RELAY}/events?from=start", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if line.startswith(b"data:"):
                return str(json.loads(line.removeprefix(b"data:"))["type"])
    return ""


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
