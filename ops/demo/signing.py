"""Customers sign a few of the contracts, each with a token of its own, and the documents are sealed upon that."""

from collections.abc import Callable
from typing import Any

from infrastructure.http.client import ServiceClient
from infrastructure.security.own_tokens import TokenSource
from ops.errors import CommandFailed

SIGNED = 3


async def sign_contracts(
    command_api: ServiceClient, query_api: ServiceClient, position: int, tokens_of: Callable[[str], TokenSource]
) -> list[str]:
    """Signs the first few that wait for their customers, as of `position` or later; returns their orders. `tokens_of`
    gives a customer's tokens.

    Raises:
        CommandFailed: a customer may not sign what is his own.
        NoResponse: a service gives no final answer in time.
    """
    page = await query_api.get("/contracts", status="to_sign", limit=str(SIGNED), at_least=str(position))
    if page.status != 200:
        raise CommandFailed(f"GET /contracts?status=to_sign: {page.status} {page.body[:200]!r}")
    contracts = page.json()["items"]
    for contract in contracts:
        await _sign(command_api, contract, tokens_of(contract["customer_id"]))
    return [contract["order_id"] for contract in contracts]


async def _sign(command_api: ServiceClient, contract: dict[str, Any], tokens: TokenSource) -> None:
    order_id = contract["order_id"]
    customer = ServiceClient(command_api.base_url, command_api.session, tokens=tokens)
    body = {
        "document_sha256": contract["document_sha256"],
        "name": f"Customer {contract['customer_id']}",
        "consent": True,
    }
    path, headers = f"/contracts/{order_id}/sign", {"Idempotency-Key": f"demo-sign-{order_id}"}
    answer = await customer.request("POST", path, json=body, headers=headers)
    if answer.status != 200:
        raise CommandFailed(f"POST {path}: {answer.status} {answer.body[:300].decode(errors='replace')}")
