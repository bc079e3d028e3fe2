"""The contract of each confirmed order, as the query API serves it; one that is signed is left for a reader to open."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from infrastructure.http.client import ServiceClient
from infrastructure.outside.signing.verification import verify_signatures


class Contracts(NamedTuple):
    """How many documents are what their contracts say, how many of them have a signature that holds, and what is wrong
    with the others; `example` is a file with one of them, `authority` one with the certificate that its signature leads
    to."""

    right: int
    sealed: int
    problems: list[str]
    example: Path | None
    authority: Path | None


async def read_contracts(
    query_api: ServiceClient, order_ids: Iterable[str], signed: Iterable[str], position: int, authority: Path
) -> Contracts:
    """The contracts as of `position` or later; those `signed` must have a digital signature that leads to `authority`,
    a PEM file.

    Raises:
        NoResponse: the query API gives no final answer in time.
    """
    left = set(signed)
    right, sealed, problems, example = 0, 0, [], None
    for order_id in sorted(order_ids, key=lambda one: one not in left):
        contract = await query_api.get(f"/contracts/{order_id}", at_least=str(position))
        document = await query_api.get(f"/documents/{order_id}")
        if contract.status != 200 or document.status != 200:
            problems.append(f"the contract of order {order_id}: {contract.status}, its document: {document.status}")
            continue
        fault = _fault(contract.json(), document.body)
        if fault is None and order_id in left:
            fault = await _seal_fault(contract.json(), document.body, authority)
            sealed += fault is None
        if fault is not None:
            problems.append(f"the document of order {order_id} {fault}")
            continue
        right += 1
        example = example or _kept(f"contract-{order_id}", document.body)
    kept = None if example is None else Path(shutil.copy(authority, example.with_suffix(".ca.pem")))
    return Contracts(right, sealed, problems, example, kept)


def _fault(contract: dict[str, Any], content: bytes) -> str | None:
    said = contract["current_sha256"]
    found = hashlib.sha256(content).hexdigest()
    if said != found or not content.startswith(b"%PDF-"):
        return f"has the SHA-256 {found}, its contract says {said}"
    return None


async def _seal_fault(contract: dict[str, Any], content: bytes, authority: Path) -> str | None:
    if contract["status"] != "sealed":
        return f"is {contract['status']}, not sealed, though its customer has signed"
    verdicts = await verify_signatures(content, authority)
    if not verdicts or not all(one.holds for one in verdicts):
        return f"has no signature that holds: {'; '.join(one.detail for one in verdicts) or 'none at all'}"
    return None


def _kept(name: str, content: bytes) -> Path:
    handle, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".pdf")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return Path(path)
