"""What came of charges and refunds, recorded by commands on the payment; each with a key that follows from the fact,
so that whoever learns it first records it, and all others get the same answer."""

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum

from infrastructure.outside.commands import CommandAnswer, CommandSender

KEY_REUSED = "idempotency-key-reused"
"""The code by which the command API says that the key belongs to a command with another body."""

_WORD = re.compile(r"[!-~]{1,100}")


class Recorded(StrEnum):
    """How the payment took it: it says the same now; there is no such payment; it contradicts."""

    AGREES = "agrees"
    NO_PAYMENT = "no_payment"
    CONTRADICTS = "contradicts"


class RecordRefused(Exception):
    """The command API refuses the record itself, whatever the payment is: a fault of ours."""


class PaymentRecords:
    """Every method raises DependencyUnavailable and RecordRefused, and answers with what the payment says about it."""

    def __init__(self, commands: CommandSender) -> None:
        self._commands = commands

    async def charge(self, order_id: str, charge_id: str, currency: str, amount: int) -> tuple[Recorded, str]:
        body = {"charge_id": charge_id, "currency": currency, "amount": amount}
        return await self._send(order_id, "record-charge", body, _key("charged", charge_id), agrees=())

    async def settling(self, order_id: str, charge_id: str) -> tuple[Recorded, str]:
        """A payment that is further than this agrees: what came of the charge was faster, or it was given up."""
        further = ("settling", "charged", "declined", "voided", "refunding", "refunded", "refund-failed")
        body = {"charge_id": charge_id}
        return await self._send(order_id, "record-settling", body, _key("settling", charge_id), agrees=further)

    async def decline(self, order_id: str, reason: str, fact: str) -> tuple[Recorded, str]:
        """`fact` names what was declined."""
        body = {"reason": _text(reason, "declined")}
        return await self._send(
            order_id, "record-decline", body, _key("declined", fact), agrees=("declined",), in_words=True
        )

    async def refund(self, order_id: str, refund_id: str) -> tuple[Recorded, str]:
        body = {"refund_id": refund_id}
        return await self._send(order_id, "record-refund", body, _key("refunded", refund_id), agrees=("refunded",))

    async def refund_failure(self, order_id: str, reason: str, fact: str) -> tuple[Recorded, str]:
        """`fact` names what failed."""
        body, agrees = {"reason": _text(reason, "refund failed")}, ("refund-failed", "refunded")
        key = _key("refund-failed", fact)
        return await self._send(order_id, "record-refund-failure", body, key, agrees=agrees, in_words=True)

    async def _send(
        self,
        order_id: str,
        action: str,
        body: Mapping[str, object],
        key: str,
        agrees: tuple[str, ...],
        in_words: bool = False,
    ) -> tuple[Recorded, str]:
        """`in_words`: the body is a reason, so under the same key the same fact was recorded in other words."""
        answer = await self._commands.send("payments", order_id, action, body, key=key)
        agreeing = [f"payment-is-{status}" for status in agrees]
        return _recorded(answer, [*agreeing, KEY_REUSED] if in_words else agreeing), answer.detail


def _recorded(answer: CommandAnswer, agreeing: list[str]) -> Recorded:
    if answer.accepted or answer.code in agreeing:
        return Recorded.AGREES
    if answer.status in (404, 410):
        return Recorded.NO_PAYMENT
    if answer.status in (409, 422):
        return Recorded.CONTRADICTS
    raise RecordRefused(f"{answer.status} {answer.code}: {answer.detail}")


def _key(what: str, fact: str) -> str:
    """The provider's ids may hold anything; a key is printable ASCII of bounded length."""
    return f"{what}-{fact if _WORD.fullmatch(fact) else hashlib.sha256(fact.encode()).hexdigest()}"


def _text(reason: str, otherwise: str) -> str:
    """A reason that the rules take: printable, bounded, not blank."""
    shown = "".join(one if one.isprintable() else " " for one in reason)[:500].strip()
    return shown or otherwise
