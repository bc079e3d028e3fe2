"""What a certificate of completion says: who took which step when, upon which document, and what signatures tell."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from application.contracts.history import Step
from application.contracts.templates import load_template
from domain.documents.events import (
    ContractCustomerNotified,
    ContractEvent,
    ContractRendered,
    ContractRequested,
    ContractSealed,
    ContractSigned,
    SignatureRequested,
)
from infrastructure.outside.signing.facts import signature_facts

COMPLETION = load_template("order-completion", 1)
"""The version that new certificates are made by."""

_NOBODY = "nobody had to prove who they are"


def completion_values(steps: Sequence[Step], sealed: bytes | None) -> Mapping[str, Any]:
    """As the template takes them, from the steps of a contract, of which the first is its request. `sealed` is the
    document with its digital signature, where it has one."""
    requested, rendered = _first(steps, ContractRequested), _first(steps, ContractRendered)
    return {
        "order_id": requested.order_id,
        "customer_id": requested.customer_id,
        "customer_name": requested.customer_name,
        "document_sha256": rendered.document_sha256,
        "size": str(rendered.size),
        "made_by": f"{rendered.template}, version {rendered.template_version}, by {rendered.renderer}",
        "steps": [
            {
                "revision": str(step.revision),
                "time": _time(_at(step.event)),
                "what": _what(step.event),
                "who": _who(step),
                "details": [{"name": name, "value": value} for name, value in _details(step.event) if value],
            }
            for step in steps
        ],
        "signatures": [
            {"name": name, "value": value} for fact in _facts(sealed) for name, value in fact.items() if value
        ],
    }


def _first(steps: Sequence[Step], kind: Any) -> Any:
    return next(step.event for step in steps if isinstance(step.event, kind))


def _who(step: Step) -> str:
    if not step.actor:
        return _NOBODY
    return f"{step.actor}, sent by {step.sent_by}" if step.sent_by else step.actor


def _what(event: ContractEvent) -> str:
    match event:
        case ContractRequested():
            return "The contract was requested"
        case ContractRendered():
            return "The document was made"
        case SignatureRequested():
            return "The customer was asked to sign"
        case ContractCustomerNotified():
            return "The customer was told"
        case ContractSigned():
            return "The customer signed"
        case ContractSealed():
            return "The document got its digital signature"
    return type(event).__name__


def _details(event: ContractEvent) -> Iterator[tuple[str, str]]:
    """Fields that a version of an event does not have are left out."""
    match event:
        case SignatureRequested():
            yield "To be signed until", _time(event.expires_at)
        case ContractCustomerNotified():
            yield "Message", f"{event.kind}, {event.reference}"
        case ContractSigned():
            yield "Name as it was typed", event.name
            yield "Way", str(getattr(event, "channel", ""))
            yield "Words of the consent", str(getattr(event, "consent_version", ""))
            yield "Address", _plain(getattr(event, "address", ""))
            yield "Browser", _plain(getattr(event, "user_agent", ""))
        case ContractSealed():
            yield "SHA-256 with the signature", event.sealed_sha256
            yield "SHA-256 of the certificate", event.certificate_sha256


def _facts(sealed: bytes | None) -> Iterator[Mapping[str, str]]:
    for fact in [] if sealed is None else signature_facts(sealed):
        yield {
            "Signed by": _plain(fact.signer),
            "At, as the signer says": _time(fact.signed_at) if fact.signed_at else "",
            "At, as an authority says": _time(fact.stamped_at) if fact.stamped_at else "",
            "That authority": _plain(fact.stamped_by),
        }


def _at(event: ContractEvent) -> datetime:
    """When it happened: the event's last time, as each has the time of itself."""
    names = [name for name in event.__struct_fields__ if name.endswith("_at") and name != "expires_at"]
    at: datetime = getattr(event, names[-1])
    return at


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _plain(text: object) -> str:
    """What others have written, in characters that show: a certificate is not to fail for a browser's name."""
    return "".join(one if " " <= one <= "~" else "?" for one in str(text))
