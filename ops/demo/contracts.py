"""The contract of each confirmed order, as the query API serves it; one of them is left for a reader to open."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from infrastructure.http.client import ServiceClient


class Contracts(NamedTuple):
    """How many documents are what their contracts say, what is wrong with the others, and a file with one of them."""

    right: int
    problems: list[str]
    example: Path | None


async def read_contracts(query_api: ServiceClient, order_ids: Iterable[str], position: int) -> Contracts:
    """The contracts as of `position` or later.

    Raises:
        NoResponse: the query API gives no final answer in time.
    """
    right, problems, example = 0, [], None
    for order_id in order_ids:
        contract = await query_api.get(f"/contracts/{order_id}", at_least=str(position))
        document = await query_api.get(f"/documents/{order_id}")
        if contract.status != 200 or document.status != 200:
            problems.append(f"the contract of order {order_id}: {contract.status}, its document: {document.status}")
            continue
        said, found = contract.json()["document_sha256"], hashlib.sha256(document.body).hexdigest()
        if said != found or not document.body.startswith(b"%PDF-"):
            problems.append(f"the document of order {order_id} has the SHA-256 {found}, its contract says {said}")
            continue
        right += 1
        example = example or _kept(order_id, document.body)
    return Contracts(right, problems, example)


def _kept(order_id: str, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(prefix=f"contract-{order_id}-", suffix=".pdf")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return Path(name)
