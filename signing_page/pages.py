"""The pages as HTML: made here alone, with nothing that a browser would have to load from elsewhere, and no script."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from domain.documents.commands import MAX_NAME_LENGTH
from domain.documents.consent import CONSENT_VERSION, CONSENTS
from infrastructure.security.signing_links import SigningLink
from signing_page.form import REASONS, Declining, Signing

MEDIA_TYPE = "text/html"

_STYLE = files("signing_page").joinpath("templates/style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# The one style that is in the page, and the document from here; forms go here, and nobody shows the page in a frame.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; object-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
"""Of the document itself, which the page shows in itself; a browser's own viewer sets styles."""

_TEMPLATES = Environment(
    loader=PackageLoader("signing_page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_NO_FAULTS: Mapping[str, str] = MappingProxyType({})
_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


def contract_page(
    link: SigningLink,
    token: str,
    *,
    faults: Mapping[str, str] = _NO_FAULTS,
    fields: Mapping[str, str] = _NO_FIELDS,
) -> bytes:
    """The document and both forms; with `faults`, what was wrong with what came before, whose `fields` stay."""
    return _page(
        "contract.html",
        link=link,
        token=token,
        until=datetime.fromtimestamp(link.expires_at, UTC),
        faults=faults,
        name=fields.get("name", "")[: MAX_NAME_LENGTH * 2],
        consented=fields.get("consent") == CONSENT_VERSION,
        consent=CONSENTS[CONSENT_VERSION],
        consent_version=CONSENT_VERSION,
        longest_name=MAX_NAME_LENGTH,
        reasons=REASONS,
    )


def done_page(link: SigningLink, done: Signing | Declining) -> bytes:
    """What was recorded."""
    if isinstance(done, Signing):
        return _page("done.html", link=link, signed=True, name=done.name)
    return _page("done.html", link=link, signed=False, reason=done.reason)


def problem_page(status: int, title: str, detail: str) -> bytes:
    """Why nothing was done."""
    return _page("problem.html", status=status, title=title, detail=detail)


def _page(template: str, **values: Any) -> bytes:
    # Our own style, whose bytes its hash in the policy is of.
    style = Markup(_STYLE)  # noqa: S704
    return _TEMPLATES.get_template(template).render(style=style, **values).encode("utf-8", "replace")
