"""Forgetting customers: killed anywhere, raced by who comes back, and carried out by late zombies."""

import random
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest

from application.erasing import Erasing
from command_api.aggregates import Aggregates
from command_api.headers import CommandHeaders
from command_api.pipeline import Pipeline
from command_api.repetitions import KeyReused
from command_api.requests import command_request
from domain.customers.aggregate import CUSTOMER
from domain.customers.commands import ChangeName, RegisterCustomer
from domain.customers.events import CustomerForgotten
from domain.model.errors import RuleViolation
from domain.model.personal import REDACTED
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent
from infrastructure.outside.commands import CommandAnswer
from infrastructure.personal_data import KeyId, KeyStoreUnavailable, PersonalKeys
from infrastructure.telemetry import TraceContext
from ops.privacy.reapplying import reapply
from tests.subscriptions.running import at_once
from tests.support.decider import NOON
from tests.support.memory_event_store import MemoryEventStore
from tests.support.memory_keys import MemoryKeyStore, MemoryMasterKeys

CANARY = "Canary-Name-6604"
REGISTER = {"name": CANARY, "email": "canary.6604@example.com"}
KEY = KeyId("customer/c-1", 1)


class Killed(BaseException):
    """A process ends here."""


class Commands:
    """The command API as one process of it carries commands out; also a CommandSender."""

    def __init__(self, log: MemoryEventStore, keys: PersonalKeys) -> None:
        codec = EventCodec([CUSTOMER], keys=keys)
        store: Any = log
        self._pipeline = Pipeline(store, codec, Aggregates(store, codec, 100), 5, lambda: NOON)

    async def send(
        self,
        _plural: str,
        aggregate_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        key: str,
        correlation_id: str | None = None,
    ) -> CommandAnswer:
        command_type = next(one for one in CUSTOMER.commands if one.action == (action or "register"))
        command = msgspec.convert(body, command_type.struct)
        headers = CommandHeaders(idempotency_key=key or None)
        request = command_request(command_type, aggregate_id, command, headers, TraceContext())
        try:
            result = await self._pipeline.handle(CUSTOMER, command_type, request)
        except RuleViolation as refused:
            return CommandAnswer(False, 409, refused.code, refused.detail)
        return CommandAnswer(True, 200, revision=result.revision, position=result.position)


class Shop:
    """A log and a key store; processes come and go."""

    def __init__(self) -> None:
        self.log, self.key_store, self.masters = MemoryEventStore(), MemoryKeyStore(), MemoryMasterKeys()
        self.commands = Commands(self.log, self.keys())

    def keys(self) -> PersonalKeys:
        """Those of another process."""
        return PersonalKeys(self.key_store, self.masters, ttl=0)

    async def register(self, name: str = CANARY) -> CommandAnswer:
        return await self.commands.send("customers", "c-1", "", {**REGISTER, "name": name}, key="")

    async def forget(self) -> CommandAnswer:
        return await self.commands.send("customers", "c-1", "forget", {}, key="")

    async def read(self) -> list[Any]:
        codec = EventCodec([CUSTOMER], keys=self.keys())
        return [(await codec.decoder([one]))(one).event for one in self.log.log]

    async def names(self) -> list[str]:
        """The names of the events that have one."""
        return [event.name for event in await self.read() if hasattr(event, "name")]

    def types(self) -> list[str]:
        return [one.type.removeprefix("Customer") for one in self.log.log]

    async def erase(self, event: StoredEvent, commands: Any = None, streams: Any = None, keys: Any = None) -> None:
        """One delivery of an event, to a consumer of its own process."""
        consumer = Erasing(keys or self.keys(), streams or self.log, commands or self.commands, delays=at_once)
        decoded = EventCodec([CUSTOMER]).decode(event)
        assert isinstance(decoded.event, CustomerForgotten)
        await consumer._handle(decoded, decoded.event.customer_id)

    def last_forgotten(self) -> StoredEvent:
        return [one for one in self.log.log if one.type == "CustomerForgotten"][-1]


async def test_what_is_forgotten_is_gone_and_who_comes_back_is_not() -> None:
    shop = Shop()
    await shop.register()
    assert await shop.names() == [CANARY]
    await shop.forget()
    assert (await shop.register()).code == "customer-forgotten", "not before the key is destroyed"
    await shop.erase(shop.last_forgotten())
    assert shop.types() == ["Registered", "Forgotten", "Erased"]
    assert await shop.names() == [REDACTED]
    assert (await shop.register("Ada again")).accepted
    assert await shop.names() == [REDACTED, "Ada again"]
    assert all(CANARY.encode() not in one.data + one.metadata for one in shop.log.log)
    assert shop.key_store.records[KEY].is_destroyed


@pytest.mark.parametrize("when", ["before it looks", "after it has looked"])
async def test_a_zombie_that_erases_long_afterwards_leaves_the_new_life_alone(when: str) -> None:
    shop = Shop()
    await shop.register()
    await shop.forget()
    late = shop.last_forgotten()

    class Rival(MemoryEventStore):
        """Between the zombie's steps everything goes on."""

        async def read_stream(self, *place: Any) -> list[StoredEvent]:
            seen = await shop.log.read_stream(*place)
            await shop.erase(late)
            await shop.register("Ada again")
            return seen if when == "after it has looked" else await shop.log.read_stream(*place)

    await shop.erase(late, streams=Rival())
    assert await shop.names() == [REDACTED, "Ada again"]
    await shop.erase(late)
    assert await shop.names() == [REDACTED, "Ada again"]
    await shop.forget()
    await shop.erase(shop.last_forgotten())
    assert await shop.names() == [REDACTED, REDACTED]


async def test_a_zombie_that_destroys_after_all_is_recorded_destroys_the_old_key_alone() -> None:
    shop = Shop()
    await shop.register()
    await shop.forget()
    late = shop.last_forgotten()

    class Zombie(PersonalKeys):
        async def destroy(self, subject: str, generation: int) -> None:
            await shop.erase(late)
            await shop.register("Ada again")
            await super().destroy(subject, generation)

    await shop.erase(late, keys=Zombie(shop.key_store, shop.masters, ttl=0))
    assert await shop.names() == [REDACTED, "Ada again"]
    assert shop.types().count("Erased") == 1


@pytest.mark.parametrize("seed", range(30))
async def test_killed_between_any_two_steps_it_comes_to_the_same(seed: int) -> None:
    """Whatever is killed, repeated and raced, what was said before forgetting is gone, and what came after is there."""
    choose, shop = random.Random(seed), Shop()
    expected: list[str] = []

    class Dying:
        """Passes calls on, and dies before or after one now and then."""

        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            method = getattr(self._inner, name)

            async def call(*given: Any, **named: Any) -> Any:
                if choose.random() < 0.2:
                    raise Killed
                done = await method(*given, **named)
                if choose.random() < 0.2:
                    raise Killed
                return done

            return call

    for life in range(3):
        name = f"{CANARY}-{life}"
        while not (await shop.register(name)).accepted:
            await shop.erase(shop.last_forgotten())
        expected.append(name)
        await shop.forget()
        event = shop.last_forgotten()
        for _ in range(100):
            try:
                await shop.erase(event, Dying(shop.commands), Dying(shop.log), Dying(shop.keys()))
                break
            except Killed:
                await shop.register(f"too early {life}")  # refused, or the new life
        assert shop.types()[-1] in ("Erased", "Registered")
        if shop.types()[-1] == "Registered":
            await shop.forget()
            await shop.erase(shop.last_forgotten())
    assert set(await shop.names()) == {REDACTED}
    assert (await shop.register("at last")).accepted
    assert (await shop.names())[-1] == "at last"
    assert all(CANARY.encode() not in one.data + one.metadata for one in shop.log.log)


async def test_a_restored_key_store_is_rid_again_of_what_was_destroyed() -> None:
    shop = Shop()
    for name in ("Ada", "Ada again"):
        await shop.register(name)
        backup = dict(shop.key_store.records)
        await shop.forget()
        await shop.erase(shop.last_forgotten())
    await shop.register("Ada at last")
    shop.key_store.records.update(backup)
    assert await shop.names() == [REDACTED, "Ada again", "Ada at last"], "what a backup still has"
    codec, keys, told = EventCodec([CUSTOMER], keys=shop.keys()), shop.keys(), list[str]()

    class Log:
        async def read_all(self, _after: int | None = None) -> AsyncIterator[StoredEvent]:
            for event in shop.log.log:
                yield event

    for _ in range(2):
        assert await reapply(Log(), codec, keys, told.append) == 1
        assert await shop.names() == [REDACTED, REDACTED, "Ada at last"]


async def test_while_the_key_store_is_away_commands_with_personal_fields_wait_and_no_others() -> None:
    shop = Shop()
    shop.key_store.away = True
    with pytest.raises(KeyStoreUnavailable):
        await shop.register()
    assert shop.log.log == []
    assert (await shop.forget()).accepted, "it needs no key"
    event = shop.last_forgotten()
    with pytest.raises(KeyStoreUnavailable):
        await shop.erase(event)
    assert shop.types() == ["Forgotten"]
    shop.key_store.away = False
    await shop.erase(event)
    assert shop.types() == ["Forgotten", "Erased"]


async def test_a_command_without_personal_fields_asks_for_no_key() -> None:
    shop = Shop()
    await shop.forget()
    assert shop.key_store.asked == 0


async def test_no_hash_of_what_is_personal_stands_in_the_log() -> None:
    shop = Shop()
    body = {"name": CANARY}
    await shop.register()
    first = await shop.commands.send("customers", "c-1", "change-name", body, key="k-1")
    again = await shop.commands.send("customers", "c-1", "change-name", {"name": "another"}, key="k-1")
    assert first == again, "two that differ in what is personal alone count as one"
    with pytest.raises(KeyReused):
        await shop.commands.send("customers", "c-1", "change-email", {"email": "a@b.example"}, key="k-1")
    hashes = [
        command_request(command_type, "c-1", command, CommandHeaders(idempotency_key=key), TraceContext()).command_hash
        for command_type in CUSTOMER.commands
        for command, key in ((ChangeName("a"), str(uuid.uuid4())), (ChangeName("b"), "k"))
        if command_type.struct is ChangeName
    ]
    assert len(set(hashes)) == 1
    assert RegisterCustomer("a", "b").name not in hashes
