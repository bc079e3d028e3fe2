"""From older schema versions of the contracts' events to the newest."""

from typing import Any


def contract_signed_1_to_2(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 2 says in which way it was signed, upon which words, and from where: before it there was the API alone,
    and no more was kept."""
    return {**fields, "channel": "api", "consent_version": "", "address": "", "user_agent": ""}
