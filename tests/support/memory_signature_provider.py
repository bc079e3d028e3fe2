"""A signing provider in memory: the port's second adapter, for tests that step through what may happen."""

import hashlib
from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from infrastructure.clock import utc_now
from infrastructure.outside.signatures import (
    RefusedBySignatureProvider,
    Signature,
    SignaturePage,
    SignatureWish,
    ToldSignature,
)


class MemorySignatureProvider:
    """`play` has the signer act; `told` are the webhooks that came of it. `sign(document, name)` makes the signed
    document: without it, something that no check would take. `clock` says when something happens."""

    def __init__(
        self,
        sign: Callable[[bytes, str], bytes] = lambda document, name: document + b"% signed by " + name.encode(),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.told: list[ToldSignature] = []
        self.requests: dict[str, Signature] = {}
        self.files: dict[str, tuple[bytes, bytes]] = {}
        self._documents: dict[str, bytes] = {}
        self._request_of: dict[str, str] = {}
        self._changed: list[str] = []
        self._sign = sign
        self._clock = clock

    async def request(self, key: str, wish: SignatureWish) -> Signature:
        if key not in self._request_of:
            if hashlib.sha256(wish.document).hexdigest() != wish.document_sha256:
                raise RefusedBySignatureProvider("another document")
            if wish.expires_at <= self._clock() or not wish.signer_name or "@" not in wish.signer_mail:
                raise RefusedBySignatureProvider("malformed")
            name = f"sig_{len(self.requests) + 1}"
            self._request_of[key] = name
            self._documents[name] = wish.document
            about = (name, wish.reference, wish.document_sha256, wish.signer_name, "open", wish.expires_at)
            self._put(Signature(*about))  # type: ignore[arg-type]
        return self.requests[self._request_of[key]]

    async def get(self, request_id: str) -> Signature | None:
        return self.requests.get(request_id)

    async def find(self, key: str) -> Signature | None:
        return self.requests[self._request_of[key]] if key in self._request_of else None

    async def list_since(self, cursor: str | None, limit: int = 100) -> SignaturePage:
        after = int(cursor or 0)
        last = {name: place for place, name in enumerate(self._changed, 1)}
        new = sorted((place, name) for name, place in last.items() if place > after)
        page = new[:limit]
        reached = page[-1][0] if page else after
        return SignaturePage(tuple(self.requests[one] for _, one in page), str(reached), len(new) > limit)

    async def cancel(self, request_id: str, reason: str) -> Signature:
        found = self.requests.get(request_id)
        if found is None or found.status not in ("open", "cancelled"):
            raise RefusedBySignatureProvider("it has ended")
        if found.status == "open":
            self._put(replace(found, status="cancelled", reason=reason, ended_at=self._clock()))
        return self.requests[request_id]

    async def signed_document(self, request_id: str) -> bytes:
        return self._file(request_id)[0]

    async def audit_trail(self, request_id: str) -> bytes:
        return self._file(request_id)[1]

    async def ping(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def play(self, reference: str, act: str, reason: str = "no") -> bool:
        """Whether there was something that the signer could view, sign, decline or let expire."""
        open_ones = [one for one in self.requests.values() if (one.reference, one.status) == (reference, "open")]
        for one in open_ones[-1:]:
            if act == "sign":
                signed, trail = self._sign(self._documents[one.request_id], one.signer_name), b"{}"
                self.files[one.request_id] = signed, trail
                digests = hashlib.sha256(signed).hexdigest(), hashlib.sha256(trail).hexdigest()
                self._end(replace(one, signed_sha256=digests[0], audit_sha256=digests[1]), "completed")
            elif act == "decline":
                self._end(replace(one, reason=reason), "declined")
            elif act == "expire":
                self._end(one, "expired")
            else:
                self._tell("request.viewed", one)
        return bool(open_ones)

    def _end(self, one: Signature, status: str) -> None:
        self._put(replace(one, status=status, ended_at=self._clock()))
        self._tell(f"request.{status}", one)

    def _tell(self, kind: str, one: Signature) -> None:
        self.told.append(ToldSignature(f"evt_{len(self.told) + 1}", kind, one.reference, one.request_id))

    def _file(self, request_id: str) -> tuple[bytes, bytes]:
        if request_id not in self.files:
            raise RefusedBySignatureProvider("not completed")
        return self.files[request_id]

    def _put(self, signature: Signature) -> None:
        self.requests[signature.request_id] = signature
        self._changed.append(signature.request_id)
