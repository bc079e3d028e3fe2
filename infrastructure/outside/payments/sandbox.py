"""The adapter for the sandbox provider (embedded/payment_provider), over HTTP."""

from collections.abc import Mapping
from typing import Any, Self, TypeVar
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import asdict

from infrastructure.outside.http_client import HttpClient
from infrastructure.outside.payments.port import Charge, ChargePage, Refund, RefusedByProvider
from infrastructure.outside.sandbox_api import SandboxApi, error_of, is_missing
from infrastructure.resilience import Policy
from infrastructure.settings import Settings

DEPENDENCY = "payments"

_S = TypeVar("_S", bound=Struct)


class _Refund(Struct, rename={"refund_id": "id", "charge_id": "charge"}, frozen=True):
    refund_id: str
    charge_id: str
    amount: int
    status: str
    failure: str = ""


class _Charge(Struct, rename={"charge_id": "id"}, frozen=True):
    charge_id: str
    reference: str
    amount: int
    currency: str
    status: str
    decline: str = ""
    refunded: int = 0
    refunds: tuple[_Refund, ...] = ()


class _ChargePage(Struct, frozen=True):
    charges: tuple[_Charge, ...]
    next: int
    more: bool


class SandboxProvider:
    """As the port says. Closes the client with itself."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._api = SandboxApi(http, RefusedByProvider)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The provider that the settings name."""
        given = settings.payments
        policy = Policy(DEPENDENCY, given.limits)
        return cls(HttpClient(given.url, policy, headers={"Authorization": f"Bearer {given.key}"}))

    @property
    def policy(self) -> Policy:
        return self._http.policy

    async def charge(self, key: str, amount: int, currency: str, *, reference: str, customer: str) -> Charge:
        """As the port says."""
        asked = {"amount": amount, "currency": currency, "reference": reference, "customer": customer}
        response = await self._api.ask("POST", "/v1/charges", key=key, json=asked)
        if response.status == 422 and error_of(response)[0] == "key-reused":
            # It was made with other values: whoever asks must see them.
            made = await self.find(key)
            if made is not None:
                return made
        return self._charge(self._api.done(response, _Charge))

    async def refund(self, key: str, charge_id: str, amount: int, reason: str) -> Refund:
        """As the port says."""
        asked = {"charge": charge_id, "amount": amount, "reason": reason}
        return self._refund(self._api.done(await self._api.ask("POST", "/v1/refunds", key=key, json=asked), _Refund))

    async def get(self, charge_id: str) -> Charge | None:
        """As the port says."""
        return await self._look(f"/v1/charges/{quote(charge_id, safe='')}", {})

    async def find(self, key: str) -> Charge | None:
        """As the port says."""
        return await self._look("/v1/charges", {"key": key})

    async def list_since(self, cursor: str | None, limit: int = 100) -> ChargePage:
        """As the port says."""
        params = {"after": cursor or "0", "limit": str(limit)}
        page = self._api.done(await self._api.ask("GET", "/v1/charges", params=params), _ChargePage)
        return ChargePage(tuple(self._charge(one) for one in page.charges), str(page.next), page.more)

    async def ping(self) -> None:
        """As the port says."""
        await self.list_since(None, 1)

    async def close(self) -> None:
        """As the port says."""
        await self._http.close()

    async def _look(self, path: str, params: Mapping[str, str]) -> Charge | None:
        response = await self._api.ask("GET", path, params=params)
        return None if is_missing(response) else self._charge(self._api.done(response, _Charge))

    def _charge(self, told: _Charge) -> Charge:
        return self._converted(Charge, told, refunds=tuple(self._refund(one) for one in told.refunds))

    def _refund(self, told: _Refund) -> Refund:
        return self._converted(Refund, told)

    def _converted(self, kind: type[_S], told: Struct, **values: Any) -> _S:
        return self._api.converted({**asdict(told), **values}, kind)
