"""Why the page refuses, in words for people and for programs: each refusal with its status."""

from collections.abc import Mapping
from types import MappingProxyType

from infrastructure.http.problems import PointedError, Problem
from infrastructure.outside.commands import CommandAnswer
from infrastructure.security.signing_links import LinkRefused, SigningLink
from signing_page.contracts import ContractStands
from signing_page.form import FormFaults

_CLOSED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "signed": ("This contract is signed", "It was signed already, so there is nothing more to do here."),
        "sealed": ("This contract is signed", "It was signed already, so there is nothing more to do here."),
        "declined": ("This contract was declined", "It was declined, and can't be signed any more."),
        "withdrawn": ("This contract is void", "The shop has taken it back: there is nothing to sign any more."),
        "expired": ("The time to sign is over", "The contract was not signed in time, and can't be signed any more."),
    }
)
_NOT_YET = frozenset({"requested", "rendered"})
_RETRY = {"Retry-After": "5"}


def no_link() -> Problem:
    """Whoever asks has no link at all."""
    detail = "Open the link in the mail that asks for your signature, as a whole."
    return Problem(400, "no-signing-link", "There is no link here", detail)


def of_link(refused: LinkRefused) -> Problem:
    """The token is not taken."""
    match refused.reason:
        case "expired":
            return closed("expired")
        case "malformed":
            detail = "Parts of it are missing, or it was changed. Open the link in the mail, as a whole."
            return Problem(400, "malformed-signing-link", "This link is not complete", detail)
        case "unknown-key" | "forged":
            detail = "It is none of ours, or one that is not taken any more. Use the newest mail, or ask the shop."
            return Problem(403, "invalid-signing-link", "This link is not valid", detail)


def of_contract(stands: ContractStands | None, link: SigningLink) -> Problem | None:
    """Why a link that is ours can't be used as the contract stands; None where it can."""
    if stands is None:
        detail = "The shop knows no such contract, or not yet. Try again in a minute, or ask the shop."
        return Problem(404, "no-such-contract", "There is no such contract", detail)
    if stands.customer_id != link.customer_id:
        detail = "It is of somebody else's contract."
        return Problem(403, "invalid-signing-link", "This link is not valid", detail)
    if stands.status in _NOT_YET:
        detail = "The contract is being prepared. Try again in a minute."
        return Problem(503, "not-ready-to-sign", "The contract is not ready yet", detail, headers=_RETRY)
    if stands.status in _CLOSED:
        return closed(stands.status)
    if stands.document_sha256 != link.document_sha256:
        return another_document()
    return None


def of_answer(answer: CommandAnswer) -> Problem:
    """The contract refuses; the rules' words are for programs, these are for the customer."""
    status = answer.code.removeprefix("contract-is-").replace("-", "_")
    if answer.code == "time-to-sign-over":
        return closed("expired")
    if status in _CLOSED:
        return closed(status)
    if answer.code == "another-document":
        return another_document()
    if answer.status == 404:
        return Problem(404, "no-such-contract", "There is no such contract", "The shop knows no such contract.")
    detail = "The contract can't be signed now. Try again in a minute, or ask the shop."
    return Problem(409, "can-not-be-signed", "It was not recorded", detail, code=answer.code)


def closed(status: str) -> Problem:
    """The link has had its use: the contract has come to its end."""
    title, detail = _CLOSED[status]
    return Problem(410, "signing-link-over", title, detail, code=f"contract-is-{status}")


def another_document() -> Problem:
    """The link speaks of a document that is not the contract's any more."""
    detail = "The link speaks of another document than the one that is to be signed now. Use the newest mail."
    return Problem(409, "another-document", "The document has changed", detail)


def of_form(faults: FormFaults) -> Problem:
    """The form's faults, for who is no browser."""
    errors = [PointedError(f"/{name}", text) for name, text in faults.faults.items()]
    return Problem(422, "form-faults", "The form is not complete", str(faults), errors=errors)


def unavailable(*, sent: bool = False) -> Problem:
    """A service that is needed is away, what it is called is nothing to customers. `sent`: it is not known whether it
    has recorded what the customer wants."""
    outcome = "It is not known whether your answer was recorded: open the link again" if sent else "Try again"
    detail = f"The shop can't be reached at the moment. {outcome} in a minute."
    return Problem(503, "unavailable", "The shop can't be reached", detail, headers=_RETRY)
