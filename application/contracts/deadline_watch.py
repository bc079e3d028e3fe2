"""Has done what is due for contracts, as the time comes: beside the log, for time passes also where no event comes.

Each process that runs the consumer watches all contracts. That several do, or that one does so again after a crash,
changes nothing: the contract itself takes each step once.
"""

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import Counter, Histogram

from application.contracts.deadlines import Deadline, Deadlines
from application.contracts.records import PLURAL
from infrastructure.clock import now_millis
from infrastructure.outside.commands import CommandAnswer, CommandSender
from infrastructure.outside.http_client import UnusableResponse
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import DependencyUnavailable

log = structlog.get_logger(__name__)

_DUE = Counter(
    "eventfold_contract_deadlines",
    "Deadlines of contracts that came, by what came of them: recorded, passed (the contract had gone on by itself), "
    "failed (to be tried again)",
    ["step", "outcome"],
)
for _action in ("remind", "expire"):
    for _outcome in ("recorded", "passed", "failed"):
        _DUE.labels(_action, _outcome)
_LATE = Histogram(
    "eventfold_contract_deadline_delay_seconds",
    "How late a deadline was recorded; what fell due while nobody ran is late by as much",
    buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600, 86_400),
)

_PASSED = frozenset({"customer-reminded", "time-to-sign-over"})
_TOO_EARLY = "time-to-sign-left"
_PAUSE = 30_000
_MOST_FAILURES = 3


class DeadlineWatch:
    """Looks at least every `interval` seconds, and when something falls due. What failed, or was done and has not come
    back as an event yet, is left alone for half a minute, so that it holds nothing else up."""

    def __init__(
        self,
        deadlines: Deadlines,
        commands: CommandSender,
        *,
        interval: float = 5.0,
        now: Callable[[], int] = now_millis,
    ) -> None:
        self._deadlines = deadlines
        self._commands = commands
        self._interval = interval
        self._now = now
        self._not_before: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watches from now on, until it is closed."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Watches no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> float:
        """Does what is due; after how many seconds to look again. Raises what the read store raises."""
        now, failures = self._now(), 0
        self._not_before = {order: time for order, time in self._not_before.items() if time > now}
        async for deadline in self._deadlines.in_order():
            if deadline.due_at > now:
                return min(self._interval, (deadline.due_at - now) / 1000)
            if deadline.order_id in self._not_before:
                continue
            self._not_before[deadline.order_id] = now + _PAUSE
            failures = 0 if await self._act(deadline, now) else failures + 1
            if failures == _MOST_FAILURES:
                break  # it is not these contracts: the command API is away
        return self._interval

    async def _run(self) -> None:
        while True:
            pause = self._interval
            try:
                pause = await self.look()
            except (ReadStoreUnavailable, ReadStoreRefused) as error:
                log.warning("the deadlines of contracts can't be read", error=str(error))
            except Exception:
                log.exception("the search for contracts whose time is over failed")
            await asyncio.sleep(pause)

    async def _act(self, deadline: Deadline, now: int) -> bool:
        """Whether a definite answer came."""
        action = deadline.at(now)
        try:
            answer = await self._commands.send(
                PLURAL,
                deadline.order_id,
                action,
                {},
                key=f"{deadline.order_id}-{deadline.due_at}-{action}",
                correlation_id=f"contract-{deadline.order_id}",
            )
        except (DependencyUnavailable, UnusableResponse) as error:
            _DUE.labels(action, "failed").inc()
            log.warning("a contract's deadline can't be recorded yet", order_id=deadline.order_id, error=str(error))
            return False
        outcome = await self._outcome(deadline, action, answer)
        _DUE.labels(action, outcome).inc()
        if outcome == "recorded":
            _LATE.observe(max(0, now - deadline.due_at) / 1000)
        return True

    async def _outcome(self, deadline: Deadline, action: str, answer: CommandAnswer) -> str:
        if answer.accepted:
            return "recorded"
        if answer.code in _PASSED or answer.code.startswith("contract-is-"):
            return "passed"
        if answer.status == 404:
            await self._deadlines.forget(deadline.order_id)
            return "passed"
        if answer.code != _TOO_EARLY:  # else its clock is behind ours, and the time comes there too
            log.error(
                "a contract refuses its deadline",
                order_id=deadline.order_id,
                action=action,
                code=answer.code,
                detail=answer.detail,
            )
        return "failed"
