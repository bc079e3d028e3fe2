"""The parts that need no server: progress, buffers, a consumer's queue, the configuration's document."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.event_store_node.log.events import LoggedEvent, ProposedEvent
from embedded.event_store_node.log.records import record
from embedded.event_store_node.persistent import configuration, errors
from embedded.event_store_node.persistent.buffers import MessageBuffer, Push
from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.definition import Definition, FilterDefinition, Settings
from embedded.event_store_node.persistent.message import Message
from embedded.event_store_node.persistent.progress import Progress
from embedded.event_store_node.persistent.timings import Timings


def logged(revision: int = 0) -> LoggedEvent:
    proposed = ProposedEvent(uuid4().bytes, "Happened", "application/json", b"", b"{}")
    return LoggedEvent(revision + 1, "s", revision, "Happened", 1, record(proposed, b"s", revision, revision + 1, 0))


def message(sequence: int | None) -> Message:
    event = logged(sequence or 0)
    return Message(event, event, sequence)


# Progress


def test_a_checkpoint_stands_before_the_first_open_event() -> None:
    progress = Progress(checkpoint=None)
    assert progress.reached() == (0, None)
    first, second, third = (progress.begin(position) for position in (10, 20, 30))
    progress.skip(35, count=4)
    assert progress.reached() == (0, None)
    progress.finish(second)
    assert progress.reached() == (0, None)
    progress.finish(first)
    assert progress.reached() == (2, 20)
    progress.finish(third)
    assert progress.reached() == (7, 35)


@given(st.lists(st.sampled_from(["begin", "skip", "finish"]), max_size=60), st.randoms(use_true_random=False))
def test_a_checkpoint_never_passes_an_open_event(steps: list[str], random) -> None:
    progress = Progress(checkpoint=5)
    position, considered = 5, 0
    open_: dict[int, int] = {}
    reached = (0, 5)
    for step in steps:
        if step == "finish" and open_:
            progress.finish(open_.pop(random.choice(sorted(open_))))
        elif step != "finish":
            position += random.randint(1, 3)
            considered += 1
            if step == "begin":
                open_[position] = progress.begin(position)
            else:
                progress.skip(position)
        count, at = progress.reached()
        assert at is not None
        assert all(at < one for one in open_)
        assert (count, at) >= reached, "a checkpoint never goes back"
        if not open_:
            assert (count, at) == (considered, position)
        reached = (count, at)


# The buffer


def test_retries_then_replays_then_new_events() -> None:
    buffer = MessageBuffer(capacity=3)
    order: list[int | None] = []
    for sequence in (7, 8, 9):
        buffer.add_new(message(sequence))
    assert not buffer.has_room_for_live
    buffer.add_replayed(message(None))
    for sequence in (5, 2, 4):
        buffer.add_retry(message(sequence))

    buffer.dispatch(lambda one: order.append(one.sequence) or Push.SENT)

    assert order == [2, 4, 5, None, 7, 8, 9]
    assert buffer.new_count == buffer.retry_count == 0
    assert buffer.has_room_for(2)
    assert not buffer.has_room_for(3)


def test_what_is_skipped_keeps_its_place_whatever_happens() -> None:
    buffer = MessageBuffer(capacity=10)
    for sequence in range(6):
        buffer.add_new(message(sequence))

    def push(one: Message) -> Push:
        if one.sequence == 4:
            raise RuntimeError
        return Push.SENT if one.sequence == 2 else Push.SKIPPED

    with pytest.raises(RuntimeError):
        buffer.dispatch(push)
    order: list[int | None] = []
    buffer.dispatch(lambda one: order.append(one.sequence) or Push.SENT)
    assert order == [0, 1, 3, 4, 5]


# A consumer's queue


async def test_what_timed_out_before_it_was_sent_is_not_sent() -> None:
    consumer = Consumer(2, "name", "user")
    first, second = message(0), message(1)
    consumer.push(first)
    consumer.push(second)
    assert not consumer.has_room
    consumer.release(first)
    assert await consumer.take() == [second]
    assert consumer.available_slots == 1


async def test_a_waiting_consumer_is_dropped() -> None:
    consumer = Consumer(1, "name", "user")
    waiting = asyncio.ensure_future(consumer.take())
    await asyncio.sleep(0)
    consumer.drop(errors.dropped("s", "g"))
    with pytest.raises(Exception, match="was dropped"):
        await waiting


def test_timings_are_given_by_name() -> None:
    timings = Timings()
    assert timings.measurements() == []
    timings.begin(b"1")
    timings.end(b"1")
    timings.end(b"unknown")
    assert [name for name, _ in timings.measurements()] == [
        "Mean", "Median", "Fastest", "Quintile 1", "Quintile 2", "Quintile 3", "Quintile 4", "Quintile 5",
        "90%", "95%", "99%", "99.5%", "99.9%", "Highest",
    ]  # fmt: skip


# The configuration

PLAIN = Settings(
    resolve_links=False,
    extra_statistics=False,
    message_timeout_ms=0,
    max_retry_count=0,
    min_checkpoint_count=0,
    max_checkpoint_count=0,
    checkpoint_after_ms=0,
    max_subscriber_count=0,
    live_buffer_size=0,
    read_batch_size=0,
    history_buffer_size=1,
    strategy="RoundRobin",
)


@pytest.mark.parametrize(
    "definition",
    [
        Definition("s", "g", "0", PLAIN),
        Definition("s", "", "-1", replace(PLAIN, resolve_links=True, max_retry_count=3), end=0),
        Definition("$all", "g", "C:5/P:5", PLAIN, FilterDefinition(True, "^a|b$", ())),
        Definition("$all", "g", "C:-1/P:-1", PLAIN, FilterDefinition(False, "", ("a,b", "", "c")), end=17),
        Definition("$all", "g", "C:0/P:0", PLAIN, FilterDefinition(True, "", ())),
    ],
)
def test_a_definition_is_read_as_it_was_written(definition: Definition) -> None:
    assert configuration.read(configuration.document([definition], "ada")) == [definition]


def test_a_document_of_the_server_itself_is_understood() -> None:
    entry = {
        "stream": "$all",
        "group": "g",
        "filter": {"context": "streamid", "type": "prefix", "data": "a,b", "isAllStream": True},
        "startFrom": -9223372036854775808,
        "startPosition": "C:0/P:0",
        "messageTimeout": 30000,
        "historyBufferSize": 500,
        "namedConsumerStrategy": "Pinned",
        "unknown": [1],
    }
    (definition,) = configuration.read({"version": "2", "entries": [entry]})
    assert definition.filter == FilterDefinition(False, "", ("a", "b"))
    assert definition.settings.history_buffer_size == 500
