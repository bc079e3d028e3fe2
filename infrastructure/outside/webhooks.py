"""Integration events to whoever takes them over HTTP: signed, each a CloudEvent as one JSON document.

The signature is that of Standard Webhooks: `webhook-signature: v1,<base64>` is the HMAC-SHA256 of
`<webhook-id>.<webhook-timestamp>.<body>`. The id is the event's, the same in every attempt. No redirect is followed,
wherever it leads.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from msgspec import Raw
from yarl import URL

from infrastructure.integration.cloud_event import STRUCTURED, CloudEvent, structured
from infrastructure.outside.deliveries import EventRefused
from infrastructure.outside.http_client import HttpClient, UnusableResponse
from infrastructure.outside.public_addresses import public_socket
from infrastructure.resilience import DependencyUnavailable, Policy

# It says nothing of the event: the address is wrong, or our signature is not taken, or nobody is there any more.
_SAYS_NOTHING = frozenset({401, 403, 404, 405, 407, 410})
_MOST_OF_AN_ANSWER = 65_536
_EXCERPT = 200


class Webhook:
    """One subscriber at `url`, called under `policy`; with `public_only`, only where its address is a public one.
    Closes its connections with itself."""

    def __init__(
        self,
        url: str,
        secret: bytes,
        policy: Policy,
        *,
        public_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        where = URL(url)
        self.policy = policy
        self._path = where.raw_path_qs
        self._http = HttpClient(
            str(where.origin()),
            policy,
            max_body=_MOST_OF_AN_ANSWER,
            only_json=False,
            socket_factory=public_socket if public_only else None,
        )
        self._secret = secret
        self._clock = clock

    async def deliver(self, event: CloudEvent) -> None:
        """Returns when the subscriber has acknowledged the event with a 2xx status.

        Raises EventRefused, or DependencyUnavailable where the event is not known to have arrived.
        """
        body = structured(event)
        headers = {"Content-Type": STRUCTURED, **signed(self._secret, event.id, int(self._clock()), body)}
        try:
            response = await self._http.request("POST", self._path, json=Raw(body), headers=headers, idempotent=True)
        except UnusableResponse as error:
            raise DependencyUnavailable(self.policy.name, str(error)) from error
        if response.status in _SAYS_NOTHING:
            raise DependencyUnavailable(self.policy.name, f"it answers {response.status}")
        if response.status >= 400:
            raise EventRefused(f"{response.status} {str(response.body or '')[:_EXCERPT]}".rstrip())

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()


def signed(secret: bytes, event_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers by which a subscriber knows that the body is ours, and how old it is; `at` is in epoch seconds."""
    content = f"{event_id}.{at}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    return {"webhook-id": event_id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}
