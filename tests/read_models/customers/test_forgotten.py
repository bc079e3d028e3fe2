"""Views of a log whose keys are destroyed: what was projected before and what is projected anew are the same."""

from typing import Any

import msgspec

from domain.customers.events import CustomerErased, CustomerForgotten, CustomerRegistered, CustomerRenamed
from domain.model.personal import REDACTED
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent
from ops.views.verification.verifier import Verifier
from read_models.customers.profiles import CUSTOMER_PROFILES
from read_models.notifications.notifications import NOTIFICATIONS
from tests.projector.running import project_all
from tests.read_models.customers.test_profiles import HOME
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import APPLICATION, stream_of
from tests.support.decider import NOON
from tests.support.logs import LogBuilder
from tests.support.memory_keys import MemoryKeyStore, memory_keys
from tests.support.notifications import REQUESTED, SENT

VIEWS = [CUSTOMER_PROFILES, NOTIFICATIONS]
CANARY = "Canary-Name-9931"
REGISTERED = CustomerRegistered("ada", CANARY, "canary.9931@example.com", HOME, NOON)
OTHER = CustomerRegistered("eve", "Eve", "eve@example.com", None, NOON)


class World:
    def __init__(self) -> None:
        self.key_store = MemoryKeyStore()
        self.keys = memory_keys(self.key_store, ttl=0)
        self.codec = EventCodec(APPLICATION.aggregates, APPLICATION.processes, self.keys)
        self.log = LogBuilder(self.codec)
        self.store = MemoryReadStore()

    def add(self, *events: Any) -> None:
        for event in events:
            self.log.add(stream_of(event), event)

    async def project(self, store: MemoryReadStore) -> None:
        await project_all(ScriptedLog(self.log.events), store, VIEWS, codec=self.codec)

    async def verified(self) -> int:
        """How many documents were verified; none differs."""
        log: Any = ScriptedLog(self.log.events)
        verification = await Verifier(VIEWS, self.codec, log, self.store, confirmations=(0.0, 0.0, 0.0)).run()
        assert verification.failures == {}
        assert [one.differences for one in verification.verified] == [[], []]
        return sum(one.equal for one in verification.verified)


async def test_forgotten_while_projected_and_projected_anew_it_comes_to_the_same() -> None:
    world = World()
    world.add(REGISTERED, OTHER, REQUESTED, SENT, CustomerRenamed("ada", f"{CANARY} L", NOON))
    await world.project(world.store)
    assert CANARY in repr(world.store.collections)
    assert "ada@example.com" not in repr(world.store.collections), "where a mail went is not in the view"
    assert await world.verified() == 3
    world.add(CustomerForgotten("ada", NOON))
    await world.project(world.store)
    await world.keys.destroy("customer/ada", 1)
    world.add(CustomerErased("ada", NOON))
    await world.project(world.store)
    assert await world.verified() == 3
    assert CANARY not in repr(world.store.collections), "neither in the documents nor anywhere else in the store"
    anew = MemoryReadStore()
    await world.project(anew)
    for view in VIEWS:
        assert anew.documents(view.collection) == world.store.documents(view.collection)
    assert anew.documents("customer_profiles_v1")["ada"]["name"] == REDACTED
    assert anew.documents("customer_profiles_v1")["eve"]["name"] == "Eve"
    world.add(msgspec.structs.replace(REGISTERED, name="Ada again"))
    await world.project(world.store)
    assert world.store.documents("customer_profiles_v1")["ada"]["name"] == "Ada again"
    assert await world.verified() == 3


async def test_what_can_not_be_decrypted_is_a_dead_letter_with_nothing_in_clear() -> None:
    world = World()
    world.add(REGISTERED, OTHER)
    first: StoredEvent = world.log.events[0]
    moved = msgspec.structs.replace(first, id="00000000-0000-0000-0000-00000000beef")
    world.log.events[0] = moved
    await world.project(world.store)
    parked = world.store.documents("parked_events").values()
    assert {one["consumer"] for one in parked} == {view.name for view in VIEWS}, "nobody knows whom it would concern"
    for one in parked:
        assert (one["stream"], one["position"]) == ("customer-ada", first.position)
        assert "was not encrypted for this place" in one["error"]
    assert CANARY not in repr(world.store.collections)
    assert set(world.store.documents("customer_profiles_v1")) == {"eve"}


async def test_what_a_fold_says_of_what_is_personal_is_not_kept() -> None:
    def tells(_document: Any, recorded: Any) -> Any:
        raise ValueError(f"{recorded.event.name} of {recorded.event.email} is not to my liking")

    world, touchy = World(), msgspec.structs.replace(CUSTOMER_PROFILES, name="touchy", fold=tells, queries=())
    world.add(REGISTERED)
    await project_all(ScriptedLog(world.log.events), world.store, [touchy], codec=world.codec)
    (parked,) = world.store.documents("parked_events").values()
    assert parked["error"] == f"ValueError: {REDACTED} of {REDACTED} is not to my liking"
    assert CANARY not in repr(world.store.collections)


async def test_while_the_key_store_is_away_a_view_waits_and_parks_nothing() -> None:
    world = World()
    world.add(OTHER, REGISTERED)
    world.key_store.away = True
    asked = world.key_store.asked

    async def back(_operation: str, _collection: str) -> None:
        if world.key_store.asked >= asked + 3:
            world.key_store.away = False

    world.store.before = back
    await world.project(world.store)
    assert world.key_store.asked > asked + 3
    assert world.store.documents("parked_events") == {}
    assert set(world.store.documents("customer_profiles_v1")) == {"ada", "eve"}
