"""What the customer has filled in: read from the form, with every fault in words that help."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl

from msgspec import Struct

from domain.documents.commands import MAX_NAME_LENGTH
from domain.documents.consent import CONSENTS
from domain.model.identifiers import text_faults

_MOST_FIELDS = 20

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "changed-mind": "I have changed my mind",
        "wrong": "Something in the document is wrong",
        "not-ordered": "I have not ordered this",
        "other": "Another reason",
    }
)
"""Why one may decline, to be chosen from: what one writes oneself could be personal, and is kept for good."""


class Signing(Struct, frozen=True):
    """The customer's word, with where the request came from: each "" where it is not known."""

    name: str
    consent: bool
    consent_version: str
    address: str
    user_agent: str


class Declining(Struct, frozen=True):
    """That the customer will not sign, and why."""

    reason: str


class FormFaults(Exception):
    """What is wrong with the form, by the field's name: each as one sentence."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(faults.values()))
        self.faults = faults


class UnreadableForm(Exception):
    """It is no form at all."""


def read_form(body: bytes) -> Mapping[str, str]:
    """The fields of a body in application/x-www-form-urlencoded; of two of a name the first. Raises UnreadableForm."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except (UnicodeDecodeError, ValueError):
        raise UnreadableForm("the form can't be read: it is no text in UTF-8, or has too many fields") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def signing(fields: Mapping[str, str], address: str, user_agent: str) -> Signing:
    """What a form for signing says. Raises FormFaults."""
    faults: dict[str, str] = {}
    name = fields.get("name", "").strip()
    version = fields.get("consent", "")
    if not name:
        faults["name"] = "Type your name."
    elif len(name) > MAX_NAME_LENGTH:
        faults["name"] = f"Your name can have {MAX_NAME_LENGTH} characters at most; this has {len(name)}."
    elif text_faults(name, "/name", MAX_NAME_LENGTH):
        faults["name"] = "Your name has a character that does not show. Delete it, and type the name anew."
    if not version:
        faults["consent"] = "Tick the box: without your consent nothing is signed."
    elif version not in CONSENTS:
        faults["consent"] = "The words of the consent have changed. Read them again, and tick the box."
    if faults:
        raise FormFaults(faults)
    return Signing(name, True, version, address, user_agent)


def declining(fields: Mapping[str, str]) -> Declining:
    """What a form for declining says. Raises FormFaults."""
    reason = REASONS.get(fields.get("reason", ""))
    if reason is None:
        raise FormFaults({"reason": "Choose why you decline."})
    return Declining(reason)
