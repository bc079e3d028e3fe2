"""Reads what has become of the orders: stock from the query API, charges from the provider, mails from the sink."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from examples.retail.reconciliation.fulfilment import Charge, FulfilmentFigures, StockFigures
from examples.retail.reconciliation.observed import UnexpectedAnswer
from infrastructure.http.client import ServiceClient, ServiceResponse

# What each mail says in its subject, which a customer sees too.
_SUBJECTS = {
    "order-confirmed": re.compile(r"Your order (\S+) is confirmed"),
    "order-cancelled": re.compile(r"Your order (\S+) was cancelled"),
    "contract-to-sign": re.compile(r"The contract of your order (\S+) is ready to be signed"),
    "contract-signed": re.compile(r"You have signed the contract of your order (\S+)"),
    "payment-refunded": re.compile(r"Your payment for order (\S+) was given back"),
}


async def fulfilment_figures(
    query_api: ServiceClient, provider: ServiceClient, key: str, mail_sink: ServiceClient, position: int
) -> FulfilmentFigures:
    """All of it; the stock as of `position` or later. `key` is the merchant's at the provider.

    Raises:
        UnexpectedAnswer: one of them answers with an error, or what can't be understood.
        NoResponse: one of them gives no final answer in time.
    """
    return FulfilmentFigures(
        stock={
            item["sku"]: StockFigures(item["on_hand"], item["reserved"], item["available"])
            async for item in _pages(query_api, "/stock", {"limit": "200", "at_least": str(position)})
        },
        charges={item["reference"]: _charge(item) async for item in _charges(provider, key)},
        mails=await _mails(mail_sink),
    )


def _charge(item: dict[str, Any]) -> Charge:
    return Charge(item["status"], item["amount"], item["refunded"])


async def _pages(client: ServiceClient, path: str, query: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    while True:
        page = _ok(await client.get(path, **query), path)
        for item in page["items"]:
            yield item
        if not page.get("next"):
            return
        query["cursor"] = page["next"]


async def _charges(provider: ServiceClient, key: str) -> AsyncIterator[dict[str, Any]]:
    """Every charge; one that has changed while they were read comes again, as it is then."""
    after, headers = "0", {"Authorization": f"Bearer {key}"}
    while True:
        path = f"/v1/charges?after={after}&limit=100"
        page = _ok(await provider.request("GET", path, headers=headers), path)
        for item in page["charges"]:
            yield item
        if not page["more"]:
            return
        after = str(page["next"])


async def _mails(mail_sink: ServiceClient) -> dict[str, Counter[str]]:
    """By order; a mail that came twice has the same Message-ID, and counts once."""
    found: dict[str, Counter[str]] = {}
    seen = set()
    for mail in _ok(await mail_sink.get("/mails"), "/mails")["mails"]:
        if mail["message_id"] not in seen:
            seen.add(mail["message_id"])
            kind, order_id = _told(mail["subject"])
            found.setdefault(order_id, Counter())[kind] += 1
    return found


def _told(subject: str) -> tuple[str, str]:
    for kind, pattern in _SUBJECTS.items():
        match = pattern.fullmatch(subject)
        if match is not None:
            return kind, match.group(1)
    raise UnexpectedAnswer(f"a mail has the subject {subject!r}, which says nothing that is expected")


def _ok(answer: ServiceResponse, path: str) -> Any:
    if answer.status != 200:
        raise UnexpectedAnswer(f"{answer.status} to GET {path}: {answer.body[:300]!r}")
    return answer.json()
