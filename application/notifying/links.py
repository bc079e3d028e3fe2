"""The link in a mail by which the customer reads and signs a contract."""

from pathlib import Path

from yarl import URL

from domain.documents.events import SignatureReminded, SignatureRequested
from infrastructure.resilience import DependencyUnavailable
from infrastructure.security.link_keys import LinkKeys, UnusableLinkKeys
from infrastructure.security.signing_links import SigningLink, make_token
from infrastructure.settings import InvalidSettings, Settings


class SigningLinks:
    """Links to the signing page at `page`, made with the keys given."""

    def __init__(self, keys: LinkKeys, page: str) -> None:
        self._keys = keys
        self._page = page

    def of(self, event: SignatureRequested | SignatureReminded) -> str:
        """The link for the document that the event speaks of: the same whenever it is asked for, so that a mail that is
        sent again has the same bytes. Raises DependencyUnavailable while the keys can't be read."""
        link = SigningLink(event.order_id, event.customer_id, event.document_sha256, int(event.expires_at.timestamp()))
        issued_at = event.requested_at if isinstance(event, SignatureRequested) else event.reminded_at
        try:
            return f"{self._page}?token={make_token(self._keys, link, issued_at)}"
        except UnusableLinkKeys as error:
            raise DependencyUnavailable("link keys", str(error)) from error


def signing_links(settings: Settings) -> SigningLinks | None:
    """As the settings say; None where they name no keys, or customers sign at a provider. Raises InvalidSettings."""
    given = settings.documents
    if not given.link_key_file or settings.signatures.provider != "none":
        return None
    keys = LinkKeys(Path(given.link_key_file))
    try:
        keys.all()
    except UnusableLinkKeys as error:
        raise InvalidSettings(f"EVENTFOLD_DOCUMENT_LINK_KEY_FILE: {error}") from None
    return SigningLinks(keys, _page_url(given.signing_page_url))


def _page_url(given: str) -> str:
    try:
        url = URL(given)
    except ValueError as error:
        raise InvalidSettings(f"EVENTFOLD_SIGNING_PAGE_URL: {given[:200]!r}: {error}") from None
    if url.scheme not in ("https", "http") or not url.host or url.query_string or url.fragment or url.user:
        raise InvalidSettings(
            f"EVENTFOLD_SIGNING_PAGE_URL: {given[:200]!r} is no address like https://shop.example/sign"
        )
    return str(url)
