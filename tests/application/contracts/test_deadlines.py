"""What falls due for contracts that wait to be signed: each once, whoever ran when; nothing for those that do not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec.structs import replace

from application.contracts.deadline_watch import DeadlineWatch
from application.contracts.deadlines import COLLECTION, Deadlines
from application.contracts.expiry import ContractDeadlines
from domain.documents.aggregate import CONTRACT
from domain.documents.events import ContractExpired
from infrastructure.outside.commands import CommandAnswer
from infrastructure.resilience import DependencyUnavailable
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import at_once, consume_all
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import CODEC, stream_of
from tests.support.contracts import DECLINED, EXPIRED, HISTORIES, LATER, REMINDED, SIGNED, TO_SIGN, WITHDRAWN
from tests.support.decider import NOON
from tests.support.logs import LogBuilder
from tests.support.memory_commands import MemoryCommands

ACCEPTED = CommandAnswer(True, 200, revision=3, position=1)
BEFORE = HISTORIES["rendered"]
AWAY = DependencyUnavailable("commands", "away")
DAY = 86_400_000


def millis(time: Any) -> int:
    return round(time.timestamp() * 1000)


REMIND_AT, END = millis(LATER - timedelta(days=3)), millis(LATER)


def log_of(*events: Any) -> ScriptedLog:
    log = LogBuilder(CODEC)
    for event in events:
        log.add(stream_of(event), event)
    return ScriptedLog(log.events)


class World:
    """A read store, and a command API that answers as it is told; processes come and go."""

    def __init__(self) -> None:
        self.store = MemoryReadStore()
        self.commands = MemoryCommands(CONTRACT)
        self.sent = self.commands.sent
        self.now = millis(NOON)

    def deadlines(self, remind_days: int = 3) -> Deadlines:
        return Deadlines(self.store, remind_days=remind_days)

    def watch(self, commands: Any = None) -> DeadlineWatch:
        return DeadlineWatch(self.deadlines(), commands or self.commands, now=lambda: self.now)

    async def followed(self, *events: Any, remind_days: int = 3) -> None:
        """Runs the consumer over these events, over what earlier ones have left."""
        deadlines = self.deadlines(remind_days)
        idle: Any = Idle()
        await consume_all(log_of(*events), self.store, ContractDeadlines(deadlines, idle, delays=at_once), codec=CODEC)

    @property
    def due(self) -> dict[str, tuple[str, int]]:
        found = self.store.documents(COLLECTION)
        return {key: (one["action"], one["due_at"]) for key, one in found.items() if "due_at" in one}


def fails_once() -> Callable[[str], None]:
    """A hook of MemoryCommands that raises the first time."""
    calls = iter([True])

    def hook(_action: str) -> None:
        if next(calls, False):
            raise AWAY

    return hook


class Idle:
    """A watch that does nothing."""

    def start(self) -> None: ...

    async def close(self) -> None: ...


class Answering:
    """A command API whose answer to each action is given."""

    def __init__(self, answer: Callable[[str, str], Any]) -> None:
        self.sent: list[tuple[str, str]] = []
        self._answer = answer

    async def send(self, _plural: str, order_id: str, action: str, _body: Any, **_: Any) -> Any:
        self.sent.append((order_id, action))
        answer = self._answer(order_id, action)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("events", "remind_days", "due"),
    [
        ([TO_SIGN], 3, ("remind", REMIND_AT)),
        ([TO_SIGN], 0, ("expire", END)),
        ([TO_SIGN], 14, ("expire", END)),
        ([replace(TO_SIGN, expires_at=LATER + timedelta(microseconds=1))], 0, ("expire", END + 1)),
        ([TO_SIGN, REMINDED], 3, ("expire", END)),
        ([TO_SIGN, SIGNED], 3, None),
        ([TO_SIGN, DECLINED], 3, None),
        ([TO_SIGN, WITHDRAWN], 3, None),
        ([TO_SIGN, REMINDED, EXPIRED], 3, None),
    ],
)
async def test_what_is_due_next(events: list[Any], remind_days: int, due: Any) -> None:
    world = World()
    await world.followed(*events, remind_days=remind_days)
    assert world.due == ({"o-1": due} if due else {})


async def test_events_that_come_again_bring_no_deadline_back() -> None:
    world = World()
    log = log_of(TO_SIGN, REMINDED, SIGNED)
    for _ in range(2):
        consumer: Any = ContractDeadlines(world.deadlines(), Idle(), delays=at_once)  # type: ignore[arg-type]
        await consume_all(log, world.store, consumer, codec=CODEC)
        assert world.due == {}
    decode = await CODEC.decoder(log.events)
    await world.deadlines().follow(decode(log.events[0]))
    assert world.due == {}


async def test_the_customer_is_reminded_and_then_it_is_over_each_once() -> None:
    world = World()
    await world.followed(TO_SIGN)
    actions: list[Any] = []

    def answer(order_id: str, action: str) -> Any:
        actions.append((order_id, action))
        return ACCEPTED

    watch = world.watch(Answering(answer))
    assert await watch.look() == 5.0
    assert actions == []
    world.now = REMIND_AT - 2_000
    assert await watch.look() == 2.0, "it looks again when it is due"
    world.now = REMIND_AT
    for _ in range(3):
        await watch.look()
    assert actions == [("o-1", "remind")], "until its event comes nothing is sent again"
    await world.followed(TO_SIGN, REMINDED)
    world.now = END + 5
    await watch.look()
    assert actions == [("o-1", "remind"), ("o-1", "expire")]
    await world.followed(TO_SIGN, REMINDED, EXPIRED)
    world.now += DAY
    await watch.look()
    assert len(actions) == 2


async def test_nobody_is_reminded_of_what_is_over() -> None:
    """As where nobody ran between the two times."""
    world = World()
    await world.followed(TO_SIGN)
    commands = Answering(lambda _order, _action: ACCEPTED)
    world.now = END
    await world.watch(commands).look()
    assert commands.sent == [("o-1", "expire")]


async def test_several_processes_and_a_crash_at_any_step_expire_a_contract_once() -> None:
    """Over the rules themselves: what is recorded, whoever sends it and how often."""
    for crash in ("before", "after", ""):
        world = World()
        past = NOON - timedelta(days=1)
        world.commands.events["contract-o-1"] = [*BEFORE, replace(TO_SIGN, expires_at=past)]
        await world.followed(replace(TO_SIGN, expires_at=past))
        if crash:
            setattr(world.commands, crash, fails_once())
        for _ in range(3):  # three processes, one after another, each with no memory of the others
            await world.watch().look()
        stream = world.commands.events["contract-o-1"]
        assert [type(one) for one in stream[len(BEFORE) + 1 :]] == [ContractExpired], crash


async def test_a_command_api_that_is_away_is_left_alone_for_a_while() -> None:
    world = World()
    await world.followed(*(replace(TO_SIGN, order_id=f"o-{n}") for n in range(9)))
    world.now = END
    away = Answering(lambda _order, _action: AWAY)
    watch = world.watch(away)
    await watch.look()
    assert len(away.sent) == 3
    await watch.look()
    assert len({order for order, _ in away.sent}) == 6, "and what failed holds the others not up"
    world.now += 31_000
    await watch.look()
    assert len(away.sent) == 9


async def test_one_contract_that_gets_no_answer_holds_nobody_up() -> None:
    world = World()
    await world.followed(*(replace(TO_SIGN, order_id=f"o-{n}") for n in range(9)))
    world.now = END
    commands = Answering(lambda order, _action: AWAY if order == "o-0" else ACCEPTED)
    await world.watch(commands).look()
    assert {order for order, _ in commands.sent} == {f"o-{n}" for n in range(9)}


@pytest.mark.parametrize(
    ("status", "code", "left"),
    [
        (409, "contract-is-signed", True),
        (409, "contract-is-expired", True),
        (409, "time-to-sign-left", True),
        (409, "something-new", True),
        (404, "not-found", False),
    ],
)
async def test_a_refusal_is_no_fault(status: int, code: str, left: bool) -> None:
    """A clock that is behind ours comes to the time too; a contract that was deleted has no deadline."""
    world = World()
    await world.followed(TO_SIGN)
    world.now = END
    refusing = Answering(lambda _order, _action: CommandAnswer(False, status, code, "of the tests"))
    watch = world.watch(refusing)
    await watch.look()
    await watch.look()
    assert len(refusing.sent) == 1
    assert bool(world.due) is left
    world.now += 31_000
    await watch.look()
    assert len(refusing.sent) == (2 if left else 1)


ENDS = [SIGNED, DECLINED, WITHDRAWN, EXPIRED]


@given(st.booleans(), st.sampled_from([None, *ENDS]), st.integers(1, 3), st.randoms(use_true_random=False))
async def test_whatever_is_repeated_what_is_due_follows_from_the_last_event(
    reminded: bool, end: Any, times: int, random: Any
) -> None:
    world, log = World(), LogBuilder(CODEC)
    for event in (TO_SIGN, *([REMINDED] if reminded else []), *([end] if end else [])):
        log.add(stream_of(event), event)
    decode = await CODEC.decoder(log.events)
    recorded = [decode(stored) for stored in log.events]
    deadlines = world.deadlines()
    await deadlines.prepare()
    for one in recorded:
        await deadlines.follow(one)
    for _ in range(times):  # a batch comes again from anywhere
        for one in recorded[random.randrange(len(recorded)) :]:
            await deadlines.follow(one)
    expected = None if end else ("expire", END) if reminded else ("remind", REMIND_AT)
    assert world.due == ({"o-1": expected} if expected else {})
