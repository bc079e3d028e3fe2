"""What the page asks of the shop: how a contract stands, its document, and that it is signed or declined."""

import hashlib

import msgspec
from msgspec import Struct

from infrastructure.outside.commands import CommandAnswer, CommandSender
from infrastructure.outside.http_client import UnusableResponse
from infrastructure.outside.queries import QueryClient
from infrastructure.resilience import DependencyUnavailable
from infrastructure.security.signing_links import SigningLink
from signing_page.form import Declining, Signing

_PLURAL = "contracts"


class ContractStands(Struct, frozen=True):
    """What the query API says of a contract, as far as it matters here. A document that is not made yet is ""."""

    status: str
    customer_id: str
    document_sha256: str = ""


class Contracts:
    """Over the command API and the query API. Every method raises DependencyUnavailable."""

    def __init__(self, commands: CommandSender, queries: QueryClient) -> None:
        self._commands = commands
        self._queries = queries

    async def find(self, link: SigningLink) -> ContractStands | None:
        """How the contract stands, as far as the query API has come; None where it knows of none."""
        try:
            response = await self._queries.get(_PLURAL, link.contract_id)
            return None if response.status >= 400 else msgspec.convert(response.body, ContractStands)
        except (UnusableResponse, msgspec.ValidationError) as error:
            raise DependencyUnavailable("queries", str(error)) from error

    async def document(self, link: SigningLink) -> bytes | None:
        """The document that the link speaks of; None where there is another one in its place, or none."""
        try:
            response = await self._queries.get("documents", link.contract_id)
        except UnusableResponse as error:
            raise DependencyUnavailable("queries", str(error)) from error
        is_the_one = hashlib.sha256(response.content).hexdigest() == link.document_sha256
        return response.content if response.status == 200 and is_the_one else None

    async def sign(self, link: SigningLink, signing: Signing) -> CommandAnswer:
        """Has the customer's word recorded."""
        body = {"document_sha256": link.document_sha256, **msgspec.to_builtins(signing)}
        return await self._send(link, "sign-by-link", body)

    async def decline(self, link: SigningLink, declining: Declining) -> CommandAnswer:
        """Has it recorded that the customer will not sign."""
        return await self._send(link, "decline", msgspec.to_builtins(declining))

    async def _send(self, link: SigningLink, action: str, body: dict[str, object]) -> CommandAnswer:
        # What is sent twice, as by a second click, is one command; something else is told how the contract stands.
        content = msgspec.json.encode([link, action, body], order="deterministic")
        key = f"link-{hashlib.sha256(content).hexdigest()[:40]}"
        try:
            return await self._commands.send(
                _PLURAL, link.contract_id, action, body, key=key, correlation_id=f"contract-{link.contract_id}"
            )
        except UnusableResponse as error:
            raise DependencyUnavailable("commands", str(error)) from error
