"""The adapter for the sandbox provider (embedded/payment_provider), over HTTP."""

from collections.abc import Mapping
from typing import Any, Self, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from infrastructure.outside.http_client import HttpClient, JsonResponse, UnusableResponse
from infrastructure.outside.payments.port import Charge, ChargePage, Refund, RefusedByProvider
from infrastructure.resilience import DependencyUnavailable, Policy
from infrastructure.settings import Settings

DEPENDENCY = "payments"

_S = TypeVar("_S", bound=Struct)
_OUR_FAULT = frozenset({400, 409, 413, 422})
"""Statuses by which the provider says that it will never do it."""


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
        response = await self._ask("POST", "/v1/charges", key=key, json=asked)
        if response.status == 422 and _error(response)[0] == "key-reused":
            # It was made with other values: whoever asks must see them.
            made = await self.find(key)
            if made is not None:
                return made
        return _charge(self._done(response, _Charge))

    async def refund(self, key: str, charge_id: str, amount: int, reason: str) -> Refund:
        """As the port says."""
        asked = {"charge": charge_id, "amount": amount, "reason": reason}
        return _refund(self._done(await self._ask("POST", "/v1/refunds", key=key, json=asked), _Refund))

    async def get(self, charge_id: str) -> Charge | None:
        """As the port says."""
        return await self._look(f"/v1/charges/{quote(charge_id, safe='')}", {})

    async def find(self, key: str) -> Charge | None:
        """As the port says."""
        return await self._look("/v1/charges", {"key": key})

    async def list_since(self, cursor: str | None, limit: int = 100) -> ChargePage:
        """As the port says."""
        params = {"after": cursor or "0", "limit": str(limit)}
        page = self._done(await self._ask("GET", "/v1/charges", params=params), _ChargePage)
        return ChargePage(tuple(_charge(one) for one in page.charges), str(page.next), page.more)

    async def ping(self) -> None:
        """As the port says."""
        await self.list_since(None, 1)

    async def close(self) -> None:
        """As the port says."""
        await self._http.close()

    async def _look(self, path: str, params: Mapping[str, str]) -> Charge | None:
        response = await self._ask("GET", path, params=params)
        if response.status == 404 and _error(response)[0] == "not-found":
            return None
        return _charge(self._done(response, _Charge))

    async def _ask(
        self, method: str, path: str, *, key: str = "", json: Any = None, params: Mapping[str, str] | None = None
    ) -> JsonResponse:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            return await self._http.request(method, path, json=json, params=params, headers=headers, idempotent=True)
        except UnusableResponse as error:
            # It is not known what came of it, and no order can mend it: somebody else answers in the provider's place.
            raise DependencyUnavailable(DEPENDENCY, str(error)) from error

    def _done(self, response: JsonResponse, kind: type[_S]) -> _S:
        code, detail = _error(response)
        if response.status in _OUR_FAULT:
            raise RefusedByProvider(f"{code}: {detail}")
        if response.status >= 300:
            # Such as 401: the key is wrong. That is no order's fault either.
            raise DependencyUnavailable(DEPENDENCY, f"{response.status} {code}: {detail}")
        try:
            return msgspec.convert(response.body, kind)
        except msgspec.ValidationError as error:
            raise DependencyUnavailable(DEPENDENCY, f"its answer is not what it should be: {error}") from error


def _error(response: JsonResponse) -> tuple[str, str]:
    error = response.body.get("error") if isinstance(response.body, dict) else None
    told = error if isinstance(error, dict) else {}
    return str(told.get("code", "")), str(told.get("detail", ""))[:500]


def _charge(told: _Charge) -> Charge:
    refunds = tuple(_refund(one) for one in told.refunds)
    return _converted(Charge, told, refunds=refunds)


def _refund(told: _Refund) -> Refund:
    return _converted(Refund, told)


def _converted(kind: type[_S], told: Struct, **values: Any) -> _S:
    try:
        return msgspec.convert({**msgspec.structs.asdict(told), **values}, kind)
    except msgspec.ValidationError as error:
        raise DependencyUnavailable(DEPENDENCY, f"its answer is not what it should be: {error}") from error
