"""Idempotency-Keys are their senders' own, as if each had put their name into them; those of before are still known."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_api.aggregates import Aggregates
from command_api.headers import CommandHeaders
from command_api.pipeline import Pipeline
from command_api.repetitions import KeyReused
from command_api.requests import command_request, server_named_id
from domain.model.errors import NoSuchAggregate, RuleViolation
from infrastructure.event_codec import decode_metadata
from infrastructure.security.identity import ANYBODY, Identity
from infrastructure.security.policy import ACT_FOR_OTHERS, ALL_OWNERS, Sender, sender_of
from infrastructure.telemetry import TraceContext
from tests.support.decider import NOON
from tests.support.in_process import InProcess, ask
from tests.support.memory_event_store import MemoryEventStore
from tests.support.served import Reply
from tests.support.tiny import LAMP, TINY, TINY_CODEC
from tests.support.tiny.lamp import InstallLamp, SwitchLampOff, SwitchLampOn

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")

_SCOPES = frozenset({"lamps:install", "lamps:switch-on", "lamps:switch-off"})
ADA, BOB = Identity("ada", _SCOPES), Identity("bob", _SCOPES)
STAFF, OTHER_STAFF = Identity("sue", _SCOPES | {ALL_OWNERS}), Identity("sam", _SCOPES | {ALL_OWNERS})
SERVICE = Identity("services", _SCOPES | {ALL_OWNERS, ACT_FOR_OTHERS})
HALL = {"room": "hall", "watts": 40}


def lamp(room: str) -> dict[str, Any]:
    return {"room": room, "watts": 40}


class World(InProcess):
    """A command API over the tiny domain; every command goes to an instance that has cached nothing or all."""

    def __init__(self) -> None:
        super().__init__(TINY)

    def send(
        self, identity: Identity, path: str, body: Any = None, key: str = "", actor: str = "", fresh: bool = False
    ) -> Awaitable[Reply]:
        headers = {"Idempotency-Key": key} if key else {}
        headers |= {"Eventfold-Actor": actor} if actor else {}
        method = "PUT" if path.count("/") == 2 else "POST"
        return ask(self.command_api() if fresh else self.commands, identity, method, path, body, headers)

    @property
    def command_ids(self) -> list[str | None]:
        return [decode_metadata(event).command_id for event in self.events.log]


async def test_two_customers_with_one_key_have_an_order_each() -> None:
    world = World()
    first, second = [await world.send(one, "/lamps", lamp(one.subject), key="k") for one in (ADA, BOB)]
    assert (first.status, second.status) == (201, 201)
    assert first.json["lamp_id"] != second.json["lamp_id"]
    for identity, reply in ((ADA, first), (BOB, second)):
        for fresh in (True, False):
            again = await world.send(identity, "/lamps", lamp(identity.subject), key="k", fresh=fresh)
            assert (again.status, again.json) == (201, reply.json)
        other = await world.send(identity, "/lamps", {**lamp(identity.subject), "watts": 41}, key="k")
        assert (other.status, other.json["type"]) == (422, "urn:eventfold:problem:idempotency-key-reused")
        assert "Idempotency-Key k was used" in other.json["detail"]
    assert len(world.events.log) == 2


async def test_one_key_of_two_senders_on_one_aggregate_is_two_commands() -> None:
    world = World()
    await world.send(STAFF, "/lamps/l-1", HALL)
    on = await world.send(STAFF, "/lamps/l-1/switch-on", key="k")
    off = await world.send(OTHER_STAFF, "/lamps/l-1/switch-off", key="k")
    assert (on.status, off.status) == (200, 200)
    assert (await world.send(STAFF, "/lamps/l-1/switch-on", key="k")).json == on.json
    assert (await world.send(OTHER_STAFF, "/lamps/l-1/switch-off", key="k")).json == off.json
    assert [event.type for event in world.events.log] == ["LampInstalled", "LampSwitchedOn", "LampSwitchedOff"]


async def test_without_authentication_and_for_services_ids_are_the_keys() -> None:
    """What is stored stays as it always was, so that keys go on being known, whoever asks for tokens from when on."""
    for identity, actor in ((ANYBODY, ""), (ANYBODY, "ada"), (SERVICE, ""), (SERVICE, "process-manager")):
        world = World()
        await world.send(identity, "/lamps/l-1", HALL, key="k", actor=actor)
        posted = await world.send(identity, "/lamps", HALL, key="k", actor=actor)
        assert world.command_ids == ["k", "k"]
        assert posted.json["lamp_id"] == "f76441cf-154e-517e-afa7-0bb510ee8406"
        metadata = decode_metadata(world.events.log[0])
        assert metadata.actor == (actor or identity.subject)
        assert metadata.sent_by == ("services" if actor == "process-manager" else None)


async def test_services_share_their_keys_with_one_another_and_across_the_upgrade() -> None:
    """Charging and matching record one fact under one key, whoever learns it first."""
    for before, after in ((ANYBODY, SERVICE), (SERVICE, ANYBODY), (SERVICE, Identity("others", SERVICE.scopes))):
        world = World()
        first = await world.send(before, "/lamps/l-1", HALL, key="k", actor="one-service")
        again = await world.send(after, "/lamps/l-1", HALL, key="k", actor="another-service", fresh=True)
        assert (again.status, again.json) == (first.status, first.json)
        assert len(world.events.log) == 1


@pytest.mark.parametrize("actor", ["", "ada"])
async def test_what_was_sent_before_keys_had_senders_is_still_known(actor: str) -> None:
    world = World()
    put = await world.send(ANYBODY, "/lamps/l-1", lamp("ada"), key="put", actor=actor)
    on = await world.send(ANYBODY, "/lamps/l-1/switch-on", key="on", actor=actor)
    posted = await world.send(ANYBODY, "/lamps", lamp("ada"), key="post", actor=actor)
    for fresh in (True, False):
        for path, body, key, first in (
            ("/lamps/l-1", lamp("ada"), "put", put),
            ("/lamps/l-1/switch-on", None, "on", on),
            ("/lamps", lamp("ada"), "post", posted),
        ):
            again = await world.send(ADA, path, body, key=key, fresh=fresh)
            assert (again.status, again.json) == (first.status, first.json), path
    assert len(world.events.log) == 3


async def test_what_somebody_else_sent_before_is_not_taken_for_ones_own() -> None:
    world = World()
    await world.send(ANYBODY, "/lamps/l-1", lamp("ada"), actor="bob")
    await world.send(ANYBODY, "/lamps/l-1/switch-on", key="k", actor="bob")
    posted = await world.send(ANYBODY, "/lamps", lamp("ada"), key="k", actor="bob")
    refused = await world.send(ADA, "/lamps/l-1/switch-on", key="k")
    assert (refused.status, refused.json["type"]) == (409, "urn:eventfold:problem:rule-violation")
    own = await world.send(ADA, "/lamps", lamp("ada"), key="k")
    assert own.status == 201
    assert own.json["lamp_id"] != posted.json["lamp_id"]
    # Nor is another command under a key that can have been anybody's: it is neither a repetition nor refused as one.
    await world.send(ANYBODY, "/lamps/l-1/switch-off", key="m")
    assert (await world.send(ADA, "/lamps/l-1/switch-on", key="m")).status == 200


async def test_what_another_customer_posted_before_is_not_told() -> None:
    """The same key and the same body, of an order that is not the caller's."""
    world = World()
    await world.send(ANYBODY, "/lamps", lamp("ada"), key="k")
    told = await world.send(BOB, "/lamps", lamp("ada"), key="k")
    assert told.status == 403
    assert len(world.events.log) == 1


async def test_nobody_comes_to_anothers_result_by_the_id_that_is_stored() -> None:
    world = World()
    await world.send(STAFF, "/lamps/l-1", HALL)
    await world.send(STAFF, "/lamps/l-1/switch-on", key="k")
    (stored,) = {one for one in world.command_ids[1:] if one}
    tried = await world.send(OTHER_STAFF, "/lamps/l-1/switch-on", key=stored)
    assert (tried.status, tried.json["code"]) == (409, "lamp-not-off")


async def test_a_gateway_that_acts_for_one_customer_uses_that_ones_keys() -> None:
    gateway = Identity("gateway", _SCOPES | {ACT_FOR_OTHERS})
    world = World()
    first = await world.send(gateway, "/lamps", lamp("ada"), key="k", actor="ada")
    assert (await world.send(ADA, "/lamps", lamp("ada"), key="k")).json == first.json
    other = await world.send(gateway, "/lamps", lamp("bob"), key="k", actor="bob")
    assert other.json["lamp_id"] != first.json["lamp_id"]
    assert (await world.send(gateway, "/lamps", lamp("ada"), key="l", actor="bob")).status == 403
    assert decode_metadata(world.events.log[0]).sent_by == "gateway"


class Pipelines:
    """As a World, but without HTTP, which costs most: for many worlds."""

    def __init__(self) -> None:
        self.events = MemoryEventStore()
        self._kept = self._pipeline()

    async def send(self, identity: Identity, what: Any, key: str, actor: str = "", fresh: bool = False) -> Any:
        """The id of the aggregate and its version, or the refusal's type."""
        aggregate_id, command = what
        command_type = next(one for one in LAMP.commands if one.struct is type(command))
        headers = CommandHeaders(idempotency_key=key or None, actor=actor or None)
        pipeline = self._pipeline() if fresh else self._kept
        try:
            sender = sender_of(identity, headers.actor, LAMP.access_to(command_type))
            named = aggregate_id or server_named_id(command_type, headers.idempotency_key, sender.keys)
            sent = command_request(command_type, named, command, headers, TraceContext(), sender)
            if not aggregate_id and sent.unscoped_key:
                unscoped_id = server_named_id(command_type, sent.unscoped_key, "")
                sent = await pipeline.as_first_sent(LAMP, sent, unscoped_id)
            result = await pipeline.handle(LAMP, command_type, sent)
        except (RuleViolation, NoSuchAggregate, KeyReused) as refused:
            return type(refused)
        return sent.aggregate_id, result.revision

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events.log]

    def _pipeline(self) -> Pipeline:
        events: Any = self.events
        return Pipeline(events, TINY_CODEC, Aggregates(events, TINY_CODEC, 100), 5, lambda: NOON)


INSTALL = InstallLamp("hall", 40)
SENDERS = (STAFF, OTHER_STAFF, SERVICE)
COMMANDS = (
    *(("l-1", INSTALL), ("l-1", InstallLamp("hall", 41)), ("", INSTALL)),
    *(("", InstallLamp("hall", 41)), ("l-1", SwitchLampOn()), ("l-1", SwitchLampOff())),
)
sendings = st.tuples(st.sampled_from(SENDERS), st.sampled_from(COMMANDS), st.sampled_from(["k", "l", ""]))


def shown(answer: Any, names: dict[str, str]) -> Any:
    """What a client learns; ids that the server chose are named in the order in which they come."""
    if isinstance(answer, type):
        return answer
    aggregate_id, revision = answer
    return names.setdefault(aggregate_id, str(len(names))), revision


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(sendings, min_size=1, max_size=3), max_size=7), st.booleans())
async def test_it_is_as_if_each_had_put_their_name_into_their_keys(steps: list[list[Any]], fresh: bool) -> None:
    """Any number of senders, any interleaving of their commands, some of them at once: with one key, and with keys that
    differ by themselves, where nobody asks who sends them."""
    scoped, named = Pipelines(), Pipelines()
    seen: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for together in steps:
        one = await asyncio.gather(*(scoped.send(who, what, key, fresh=fresh) for who, what, key in together))
        other = await asyncio.gather(
            *(named.send(ANYBODY, what, key and f"{who.subject}-{key}", fresh=fresh) for who, what, key in together)
        )
        assert [shown(answer, seen[0]) for answer in one] == [shown(answer, seen[1]) for answer in other]
    assert scoped.types == named.types


@settings(max_examples=300, deadline=None)
@given(st.lists(sendings, max_size=10), st.integers(0, 10), st.booleans())
async def test_over_an_upgrade_every_sender_is_known_again(sent: list[Any], at: int, fresh: bool) -> None:
    """Up to some command nobody asks who sends, but they say so; from then on it is known. What comes of each is the
    same as if there had been no upgrade."""
    upgraded, plain = Pipelines(), Pipelines()
    for count, (who, what, key) in enumerate(sent):
        identity, actor = (ANYBODY, who.subject) if count < at else (who, "")
        own = key and f"{who.subject}-{key}"
        now = await upgraded.send(identity, what, own, actor, fresh)
        before = await plain.send(ANYBODY, what, own, who.subject, fresh)
        assert isinstance(now, type) == isinstance(before, type), (now, before)
        assert now == before or not isinstance(now, type)
    assert upgraded.types == plain.types


@given(st.tuples(st.text(min_size=1, max_size=3), st.text(min_size=1, max_size=3)), st.sampled_from(["k", "a|k"]))
def test_no_two_senders_have_one_id(names: tuple[str, str], key: str) -> None:
    headers = CommandHeaders(idempotency_key=key)
    sent = [
        command_request(LAMP.commands[0], "l-1", INSTALL, headers, TraceContext(), Sender(one, keys=one))
        for one in names
    ]
    ids = {request.command_id for request in sent}
    assert len(ids) == len(set(names))
