"""The adapter for the sandbox provider (embedded/signature_provider), over HTTP."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote

from msgspec import Struct

from infrastructure.outside.http_client import HttpClient
from infrastructure.outside.sandbox_api import SandboxApi, error_of, is_missing
from infrastructure.outside.signatures.port import (
    RefusedBySignatureProvider,
    Signature,
    SignaturePage,
    SignatureWish,
)
from infrastructure.resilience import DependencyUnavailable, Policy
from infrastructure.settings import Settings

DEPENDENCY = "signatures"
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024


class _Request(Struct, frozen=True):
    id: str
    reference: str
    sha256: str
    signer_name: str
    status: str
    reason: str
    expires_at: float
    ended: float | None
    signed_sha256: str
    audit_sha256: str


class _Page(Struct, frozen=True):
    requests: tuple[_Request, ...]
    next: int
    more: bool


class SandboxSignatureProvider:
    """As the port says. `files` gives what is no JSON, under the same policy. Closes both clients with itself."""

    def __init__(self, http: HttpClient, files: HttpClient) -> None:
        self._http = http
        self._files = files
        self._api = SandboxApi(http, RefusedBySignatureProvider)
        self._files_api = SandboxApi(files, RefusedBySignatureProvider)

    @classmethod
    def at(cls, url: str, key: str, policy: Policy) -> Self:
        """The provider at an address."""
        headers = {"Authorization": f"Bearer {key}"}
        files = HttpClient(url, policy, headers=headers, max_body=MAX_DOCUMENT_BYTES, only_json=False)
        return cls(HttpClient(url, policy, headers=headers), files)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The provider that the settings name."""
        given = settings.signatures
        return cls.at(given.url, given.key, Policy(DEPENDENCY, given.limits))

    @property
    def policy(self) -> Policy:
        return self._http.policy

    async def request(self, key: str, wish: SignatureWish) -> Signature:
        """As the port says."""
        asked = {
            "document": base64.b64encode(wish.document).decode(),
            "sha256": wish.document_sha256,
            "signer": {"name": wish.signer_name, "mail": wish.signer_mail},
            "reference": wish.reference,
            "expires_at": wish.expires_at.timestamp(),
        }
        response = await self._api.ask("POST", "/v1/requests", key=key, json=asked)
        if response.status == 422 and error_of(response)[0] == "key-reused":
            # It was made with other values, such as a name that has changed since: whoever asks must see which.
            made = await self.find(key)
            if made is not None:
                return made
        first = self._signature(self._api.done(response, _Request))
        # A repeated request gets its first answer; what has come of it meanwhile is what counts.
        return await self.get(first.request_id) or first

    async def get(self, request_id: str) -> Signature | None:
        """As the port says."""
        return await self._look(f"/v1/requests/{quote(request_id, safe='')}", {})

    async def find(self, key: str) -> Signature | None:
        """As the port says."""
        return await self._look("/v1/requests", {"key": key})

    async def list_since(self, cursor: str | None, limit: int = 100) -> SignaturePage:
        """As the port says."""
        params = {"after": cursor or "0", "limit": str(limit)}
        page = self._api.done(await self._api.ask("GET", "/v1/requests", params=params), _Page)
        return SignaturePage(tuple(self._signature(one) for one in page.requests), str(page.next), page.more)

    async def cancel(self, request_id: str, reason: str) -> Signature:
        """As the port says."""
        path, key = f"/v1/requests/{quote(request_id, safe='')}/cancel", f"cancel-{request_id}"
        response = await self._api.ask("POST", path, key=key, json={"reason": reason})
        return self._signature(self._api.done(response, _Request))

    async def signed_document(self, request_id: str) -> bytes:
        """As the port says."""
        return await self._file(f"/v1/requests/{quote(request_id, safe='')}/document")

    async def audit_trail(self, request_id: str) -> bytes:
        """As the port says."""
        return await self._file(f"/v1/requests/{quote(request_id, safe='')}/audit-trail")

    async def ping(self) -> None:
        """As the port says."""
        await self.list_since(None, 1)

    async def close(self) -> None:
        """As the port says."""
        await self._http.close()
        await self._files.close()

    async def _look(self, path: str, params: Mapping[str, str]) -> Signature | None:
        response = await self._api.ask("GET", path, params=params)
        return None if is_missing(response) else self._signature(self._api.done(response, _Request))

    async def _file(self, path: str) -> bytes:
        response = await self._files_api.ask("GET", path)
        self._files_api.require(response)
        if not response.content:
            raise DependencyUnavailable(DEPENDENCY, f"GET {path}: an empty file")
        return response.content

    def _signature(self, told: _Request) -> Signature:
        values: dict[str, Any] = {
            "request_id": told.id,
            "reference": told.reference,
            "document_sha256": told.sha256,
            "signer_name": told.signer_name,
            "status": told.status,
            "expires_at": _time(told.expires_at),
            "reason": told.reason,
            "ended_at": None if told.ended is None else _time(told.ended),
            "signed_sha256": told.signed_sha256,
            "audit_sha256": told.audit_sha256,
        }
        return self._api.converted(values, Signature)


def _time(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise DependencyUnavailable(DEPENDENCY, f"its answer is not what it should be: time {seconds}") from error
