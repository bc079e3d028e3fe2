"""Webhooks out: signed, at least once, tried again until they are taken."""

import asyncio
import hashlib
import hmac
import logging
import random
import time

import aiohttp

from embedded.sandbox.faults import Faults
from embedded.sandbox.memory import Memory, PendingWebhook

SIGNATURE = "Sandbox-Signature"

log = logging.getLogger(__name__)

_AT_ONCE = 16
_ATTEMPT_TIMEOUT = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


def signature(secret: str, body: bytes, at: int) -> str:
    """The header's value: `t=<epoch seconds>,v1=<hex>`, HMAC-SHA256 over "<t>.<body>"."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


class Webhooks:
    """Delivers the webhooks of a provider's memory to one address; without one they stay where they are.

    An attempt that is not answered by a 2xx is repeated after a pause that doubles, up to a few seconds. Each attempt
    has a signature of its own time.
    """

    def __init__(self, memory: Memory, url: str, secret: str, choose: random.Random, faults: Faults) -> None:
        self.faults = faults
        self._memory = memory
        self._url = url
        self._secret = secret
        self._choose = choose
        self._wake = asyncio.Event()
        self._under_way: set[str] = set()

    def wake(self) -> None:
        """There may be something to deliver."""
        self._wake.set()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Delivers for ever."""
        tasks: set[asyncio.Task[None]] = set()
        while True:
            self._wake.clear()
            if self._url and not self.faults.down:
                for webhook in self._due():
                    self._under_way.add(webhook.id)
                    task = asyncio.create_task(self._deliver(session, webhook))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            try:
                async with asyncio.timeout(0.05):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def deliver_now(self, session: aiohttp.ClientSession, webhook: PendingWebhook) -> None:
        """For a webhook that comes before the answer: one attempt, at once."""
        if self._url and webhook.id not in self._under_way:
            self._under_way.add(webhook.id)
            await self._deliver(session, webhook, at_once=True)

    def _due(self) -> list[PendingWebhook]:
        found = self._memory.due_webhooks(time.time() - self.faults.webhook_delay, 4 * _AT_ONCE)
        due = [one for one in found if one.id not in self._under_way]
        if self.faults.webhook_shuffled:
            self._choose.shuffle(due)
        return due[: max(0, _AT_ONCE - len(self._under_way))]

    async def _deliver(self, session: aiohttp.ClientSession, webhook: PendingWebhook, *, at_once: bool = False) -> None:
        try:
            if self.faults.webhook_shuffled and not at_once:
                await asyncio.sleep(self._choose.uniform(0, 0.3))
            lost = self._choose.random() < self.faults.webhook_lost_share
            taken = lost or await self._attempt(session, webhook.body)
            for _ in range(0 if lost or not taken else self.faults.webhook_duplicates):
                await self._attempt(session, webhook.body)
            if taken:
                self._memory.delivered(webhook.id)
            else:
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**webhook.attempts)
                self._memory.put_off(webhook.id, time.time() + pause)
        finally:
            self._under_way.discard(webhook.id)
            self.wake()

    async def _attempt(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        headers = {
            "Content-Type": "application/json",
            SIGNATURE: signature(self._secret, body, int(time.time())),
        }
        timeout = aiohttp.ClientTimeout(total=_ATTEMPT_TIMEOUT)
        try:
            async with session.post(
                self._url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                await answer.read()
                if not 200 <= answer.status < 300:
                    log.warning("a webhook was not taken: %s", answer.status)
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("a webhook could not be delivered: %s", error or type(error).__name__)
            return False
