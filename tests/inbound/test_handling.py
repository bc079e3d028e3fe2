"""What becomes of messages: once, in order a key, or set aside with a reason."""

import asyncio

import pytest
from msgspec.structs import replace

from inbound.inbox import InboxEntry
from infrastructure.read_store import ReadStoreUnavailable
from infrastructure.resilience import DependencyUnavailable
from tests.inbound.world import CRM, V2, WAREHOUSE, World, customer, delivery, message


async def test_a_delivery_counts_once_however_often_it_comes():
    world = World()
    await world.handle(delivery("d-1", quantity=5), delivery("d-1", quantity=5))
    world.restart()
    await world.handle(delivery("d-1", quantity=5), delivery("d-2", quantity=2))
    assert world.on_hand() == 7
    assert world.written.letters == []
    assert await world.state(delivery("d-1")) == "handled"


async def test_a_message_without_its_inbox_entry_counts_once_all_the_same():
    world = World()
    await world.handle(delivery("d-1", quantity=5))
    world.store.collections.clear()
    await world.handle(delivery("d-1", quantity=5))
    assert world.on_hand() == 5


async def test_a_customer_has_the_last_state():
    world = World(CRM)
    await world.handle(customer("c-1", "Ada"), customer("c-2", "Ada Byron"), customer("c-2", "Ada Byron"))
    names = [event.name for event in world.customer() if hasattr(event, "name")]
    assert names == ["Ada", "Ada Byron"]
    assert len(world.customer()) == 4


async def test_a_refused_message_is_set_aside_and_stays_so():
    world = World()
    refused = message(
        V2, {"delivery_id": "d", "lines": [{"sku": "tea", "quantity": 1}, {"sku": "no id!", "quantity": 1}]}
    )
    await world.handle(refused, refused)
    assert world.written.classes == ["refused"]
    assert world.on_hand() == 1, "what came before the refused line is done"
    incoming, headers = world.written.letters[0]
    assert incoming == refused
    assert headers["eventfold-error-code"] == "invalid-command"
    assert headers["eventfold-consumer"] == "inbound_warehouse"
    assert (headers["eventfold-source"], headers["eventfold-source-offset"]) == ("deliveries", "0")
    assert headers["eventfold-attempts"] == "1"
    assert "no id!" in headers["eventfold-reason"]
    assert await world.state(refused) == "dead_letter"


async def test_later_messages_of_the_key_wait_behind_and_others_go_on():
    world = World()
    await world.handle(delivery("bad", quantity=0), delivery("d-2"), delivery("d-3", sku="mug"))
    assert (world.on_hand(), world.on_hand("mug")) == (0, 1)
    assert await world.letters() == [("tea", "schema", 1), ("tea", "behind", 0)]
    assert world.written.classes == ["schema", "behind"]


async def test_or_go_on_where_the_source_says_so():
    world = World(replace(WAREHOUSE, behind="go-on"))
    await world.handle(delivery("bad", quantity=0), delivery("d-2"))
    assert world.on_hand() == 1
    assert await world.letters() == [("tea", "schema", 1)]


async def test_a_message_without_a_key_holds_nothing_up():
    world = World()
    await world.handle(delivery("bad", quantity=0, key=""), delivery("d-2", key=""))
    assert world.on_hand() == 1


async def test_ignored_types_leave_no_trace():
    world = World()
    await world.handle(message("warehouse.heartbeat.v1", {}))
    assert world.written.letters == []
    assert await world.state(message("warehouse.heartbeat.v1", {})) == "-"


async def test_what_is_away_is_waited_for():
    world, faults = World(), iter([DependencyUnavailable("commands", "503"), DependencyUnavailable("commands", "gone")])

    def fail(_action: str) -> None:
        for fault in faults:
            raise fault

    world.commands.before = fail
    await world.handle(delivery("d-1"))
    assert (world.on_hand(), world.written.letters) == (1, [])


async def test_without_the_read_store_nothing_is_begun():
    world, failures = World(), 3

    async def fail(operation: str, _collection: str) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ReadStoreUnavailable("away")

    world.store.before = fail
    await world.handle(delivery("d-1"))
    assert world.on_hand() == 1


async def test_a_dead_letter_that_can_not_be_written_is_not_acknowledged():
    world = World()
    attempts = 0

    def away() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 5:
            world.released.set()
        raise DependencyUnavailable("dead letters", "away")

    world.written.before = away
    assert not await world.handler.handle(delivery("bad", quantity=0), world.released)
    assert await world.state(delivery("bad")) == "setting_aside"
    world.released, world.written.before = asyncio.Event(), lambda: None
    world.restart()
    await world.handle(delivery("bad", quantity=0))
    assert world.written.classes == ["schema"]
    assert await world.letters() == [("tea", "schema", 1)]


async def test_one_that_alone_gets_no_answer_is_set_aside_in_the_end():
    world = World()
    world.commands.unserved = frozenset({"tea"})
    stuck = asyncio.create_task(world.handler.handle(delivery("stuck"), world.released))
    await asyncio.sleep(0.01)
    world.clock += 1
    await world.handle(delivery("fine", sku="mug"))
    await asyncio.sleep(0.01)
    assert not stuck.done(), "its time has not passed"
    world.clock += 61
    assert await stuck
    assert world.written.classes == ["no-answer"]


async def test_an_id_that_is_used_again_for_something_else_is_the_first_message():
    world = World()
    await world.handle(delivery("d-1", quantity=5), delivery("d-1", quantity=7))
    assert world.on_hand() == 5


async def test_a_retry_handles_what_stood_behind_in_order():
    world = World(CRM)
    await world.handle(
        customer("c-1", "Ada"), customer("c-2", "\u200b"), customer("c-3", "Ada L"), customer("c-4", "A L")
    )
    assert [one[1] for one in await world.letters()] == ["refused", "behind", "behind"]
    outcome = await world.operations.retry("inbound_crm", "ada")
    assert (outcome.replayed, outcome.remaining) == (0, 3)
    assert outcome.errors[0].startswith("c-2: refused")
    [first] = [one async for one in world.dead_letters.all(None) if one.origin.event_id == "c-2"]
    assert first.attempts == 2
    outcome = await world.operations.discard("inbound_crm", first.position, "the name shows nothing", "joe")
    assert (outcome.replayed, outcome.remaining, outcome.errors) == (2, 0, [])
    assert [event.name for event in world.customer() if hasattr(event, "name")] == ["Ada", "Ada L", "A L"]
    assert await world.letters() == []
    entry = await world.operations.entry("inbound_crm", "urn:test", "c-2")
    assert isinstance(entry, InboxEntry)
    assert (entry.state, entry.reason, entry.by) == ("discarded", "the name shows nothing", "joe")
    await world.handle(customer("c-5", "Ada again"), customer("c-2", "\u200b"))
    assert world.customer()[-3].name == "Ada again"
    assert world.written.classes == ["refused", "behind", "behind"]


async def test_a_message_of_the_future_is_handled_after_an_upgrade():
    world = World()
    newer = message("warehouse.stock-delivered.v3", {"delivery_id": "d", "sku": "tea", "quantity": 4}, key="tea")
    await world.handle(newer, delivery("d-2"))
    assert [one[1] for one in await world.letters()] == ["unknown-version", "behind"]
    from application.inbound.warehouse import TAKEN_FROM_WAREHOUSE

    third = replace(TAKEN_FROM_WAREHOUSE.messages[0], version=3)
    upgraded = replace(TAKEN_FROM_WAREHOUSE, messages=(*TAKEN_FROM_WAREHOUSE.messages, third))
    world.reader.__init__(WAREHOUSE, [upgraded])  # type: ignore[misc]
    outcome = await world.operations.retry("inbound_warehouse", None)
    assert (outcome.replayed, outcome.remaining) == (2, 0)
    assert world.on_hand() == 5


async def test_a_body_that_was_not_kept_can_only_be_discarded():
    world = World()
    large = message("warehouse.stock-delivered.v1", b" " * 20_000, key="tea")
    await world.handle(large)
    outcome = await world.operations.retry("inbound_warehouse", None)
    assert outcome.remaining == 1
    assert "too large to be kept" in outcome.errors[0]
    [record] = [one async for one in world.dead_letters.all(None)]
    outcome = await world.operations.discard("inbound_warehouse", record.position, "sent again", "joe")
    assert outcome.remaining == 0
    await world.handle(delivery("d-2"))
    assert world.on_hand() == 1


@pytest.mark.parametrize("step", range(12))
async def test_a_crash_at_any_step_of_a_change_changes_it_once(step: int):
    world, taken = World(CRM), 0
    await world.handle(customer("c-1", "Ada"))

    class Crash(BaseException):
        pass

    async def crash(_operation: str, _collection: str) -> None:
        nonlocal taken
        taken += 1
        if taken == step + 1:
            raise Crash

    world.store.after = crash
    try:
        await world.handle(customer("c-2", "Byron"))
    except Crash:
        world.restart()
    taken = step + 1
    await world.handle(customer("c-2", "Byron"), customer("c-3", "Lovelace"))
    assert [event.name for event in world.customer() if hasattr(event, "name")] == ["Ada", "Byron", "Lovelace"]
    assert len(world.customer()) == 7
