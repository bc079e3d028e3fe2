"""Whose key a contract's documents are encrypted with: what destroys that key makes them unreadable."""

from collections.abc import Callable
from typing import Any

from infrastructure.settings import Settings

SubjectOf = Callable[[Any], str]
"""subject_of(event of a contract) -> the subject of the key, as in customer/c-1."""


def of_customer(event: Any) -> str:
    """The customer's key: documents are forgotten with the customer."""
    return f"customer/{event.customer_id}"


def of_contract(event: Any) -> str:
    """A key of the contract's own: documents stay until that is destroyed."""
    return contract_subject(event.order_id)


def contract_subject(order_id: str) -> str:
    """The subject of a contract's own key."""
    return f"contract/{order_id}"


def subjects(settings: Settings) -> SubjectOf:
    """As EVENTFOLD_DOCUMENT_KEY_OF says."""
    return of_customer if settings.documents.key_of == "customer" else of_contract
