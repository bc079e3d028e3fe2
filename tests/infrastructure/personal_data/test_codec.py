"""Personal fields on their way into the log and back: only in their own place, only with their own person's key."""

import uuid
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from domain.model.aggregate import Aggregate
from domain.model.event_types import EventType, UndecodableEvent
from domain.model.personal import REDACTED, Personal, personal_fields, without_personal
from infrastructure.event_codec import EventCodec, EventMetadata, KeysNotFetched
from infrastructure.event_store import StoredEvent
from infrastructure.personal_data import KeyStoreUnavailable
from infrastructure.personal_data.sealing import TAG, Place, seal
from subscriptions.decoding import decode_batch
from tests.infrastructure.personal_data.gifts import GIFT, GiftLost, GiftSent, Note
from tests.support.decider import NOON
from tests.support.memory_keys import MemoryKeyStore, at_once, decoded_at_once, memory_keys

STORE = MemoryKeyStore()
CODEC = EventCodec([GIFT], keys=memory_keys(STORE, ttl=0))
CANARY = "Canary-Name-7731"

texts = st.text(st.characters(codec="utf-8"), max_size=30)
gifts = st.builds(
    GiftSent,
    gift_id=st.just("g-1"),
    giver_id=st.sampled_from(["a", "b", "c/1"]),
    taker_id=st.sampled_from(["a", "d"]),
    giver_name=texts,
    taker_name=texts,
    note=st.none() | st.builds(Note, texts, st.lists(texts, max_size=3)),
    grams=st.integers(0, 2**53),
    sent_at=st.just(NOON),
)
GIVEN = GiftSent("g-1", "a", "d", CANARY, "Dora-Name-4411", Note(CANARY, []), 3, NOON)


def stored(event: Struct, stream: str = "gift-g-1", codec: EventCodec = CODEC) -> StoredEvent:
    """The event as it stands in the log."""
    new = at_once(codec.encoder(stream, [event]))(event, EventMetadata(), str(uuid.uuid4()))
    return StoredEvent(new.id, new.type, stream, 0, 7, 0, new.data, new.metadata)


def changed(event: StoredEvent, **fields: Any) -> StoredEvent:
    return msgspec.structs.replace(event, **fields)


KEPT = stored(GIVEN)


@given(gifts)
def test_any_event_comes_back_as_it_was(event: GiftSent) -> None:
    kept = stored(event)
    assert decoded_at_once(CODEC, kept).event == event
    fields = msgspec.json.decode(kept.data)
    assert (fields["giver_id"], fields["grams"]) == (event.giver_id, event.grams)
    for name in ("giver_name", "taker_name"):
        assert set(fields[name]) == {TAG}
    assert fields["note"] is None if event.note is None else set(fields["note"]) == {TAG}


@given(gifts)
def test_the_same_event_is_never_stored_the_same(event: GiftSent) -> None:
    assert stored(event).data != stored(event).data


def test_nothing_personal_is_stored_in_clear() -> None:
    assert CANARY.encode() not in stored(GIVEN).data
    assert b"Dora" not in stored(GIVEN).data


@given(st.data())
def test_whatever_is_changed_in_what_is_encrypted_is_found_out(data: st.DataObject) -> None:
    fields = msgspec.json.decode(KEPT.data)
    name = data.draw(st.sampled_from(["giver_name", "taker_name", "note"]))
    sealed = list(fields[name][TAG]["sealed"])
    at = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.sampled_from("ABab01+/ä"))
    sealed[at] = other if sealed[at] != other else "C"
    fields[name][TAG]["sealed"] = "".join(sealed)
    broken = changed(KEPT, data=msgspec.json.encode(fields))
    with pytest.raises(UndecodableEvent, match=name) as refused:
        decoded_at_once(CODEC, broken)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(("one", "other"), [("giver_name", "taker_name"), ("giver_name", "note")])
def test_fields_can_not_be_swapped(one: str, other: str) -> None:
    event = msgspec.structs.replace(GIVEN, taker_id="a")
    kept = stored(event)
    fields = msgspec.json.decode(kept.data)
    fields[one], fields[other] = fields[other], fields[one]
    with pytest.raises(UndecodableEvent):
        decoded_at_once(CODEC, changed(kept, data=msgspec.json.encode(fields)))


def test_nor_moved_to_another_event_stream_type_or_person() -> None:
    kept = stored(GIVEN)
    other = str(uuid.uuid4())
    for moved in (changed(kept, id=other), changed(kept, stream="gift-g-2")):
        with pytest.raises(UndecodableEvent):
            decoded_at_once(CODEC, moved)
    stored(msgspec.structs.replace(GIVEN, giver_id="b"))
    fields = msgspec.json.decode(kept.data) | {"giver_id": "b"}
    with pytest.raises(UndecodableEvent, match="another person"):
        decoded_at_once(CODEC, changed(kept, data=msgspec.json.encode(fields)))
    for name in ("giver_name", "note"):
        fields[name][TAG]["of"] = "person/b"
    with pytest.raises(UndecodableEvent, match="not encrypted for this place"):
        decoded_at_once(CODEC, changed(kept, data=msgspec.json.encode(fields)))


@pytest.mark.parametrize(
    "value", ["in clear", 5, {}, {TAG: 1}, {TAG: {"of": "person/a"}}, {TAG: {"of": "person/a", "key": 1, "x": 1}}]
)
def test_what_is_personal_but_not_encrypted_is_not_taken(value: Any) -> None:
    kept = stored(GIVEN)
    fields = msgspec.json.decode(kept.data) | {"giver_name": value}
    with pytest.raises(UndecodableEvent, match="giver_name is personal, but not encrypted"):
        decoded_at_once(CODEC, changed(kept, data=msgspec.json.encode(fields)))


@given(st.binary(max_size=60))
def test_no_data_makes_it_fail_otherwise(data: bytes) -> None:
    broken = StoredEvent("i", "GiftSent", "gift-1", 0, 7, 0, data, b'{"schemaVersion":2}')
    with pytest.raises(UndecodableEvent):
        decoded_at_once(CODEC, broken)


async def test_one_person_is_forgotten_and_the_other_is_not() -> None:
    store = MemoryKeyStore()
    keys = memory_keys(store, ttl=0)
    codec = EventCodec([GIFT], keys=keys)
    kept = stored(GIVEN, codec=codec)
    await keys.destroy("person/a", await keys.current("person/a"))
    expected = msgspec.structs.replace(GIVEN, giver_name=REDACTED, note=None)
    assert (await codec.decoder([kept]))(kept).event == expected
    # What does not begin a new key is written redacted from now on; what does, begins one.
    late = (await codec.encoder("gift-g-1", [GIVEN]))(GIVEN, EventMetadata(), kept.id)
    again = changed(kept, data=late.data)
    assert (await codec.decoder([again]))(again).event == GIVEN
    assert await keys.current("person/a") == 2
    await keys.destroy("person/d", 1)
    late = (await codec.encoder("gift-g-1", [GIVEN]))(GIVEN, EventMetadata(), kept.id)
    again = changed(kept, data=late.data)
    assert (await codec.decoder([again]))(again).event == msgspec.structs.replace(GIVEN, taker_name=REDACTED)
    assert b"Dora" not in late.data
    assert await keys.current("person/d") == 1


async def test_an_older_version_is_decrypted_by_its_own_marks_and_then_upcast() -> None:
    keys = memory_keys(ttl=0)
    codec = EventCodec([GIFT], keys=keys)
    fields = {"gift_id": "g-1", "giver_id": "a", "taker_id": "d", "first": "Ada", "last": "L", "taker_name": "Dora"}
    fields |= {"note": {"text": "in clear then", "lines": []}, "grams": 3, "sent_at": "2026-03-14T12:00:00Z"}
    marks, place = GIFT.events[0].personal[1], Place("gift-g-1", "id", "GiftSent")
    sealing = await keys.to_seal({"person/a": False, "person/d": False})
    kept = StoredEvent(
        "id", "GiftSent", "gift-g-1", 0, 7, 0, seal(msgspec.json.encode(fields), marks, place, sealing), b""
    )
    event: Any = (await codec.decoder([kept]))(kept).event
    assert (event.giver_name, event.taker_name, event.note.text) == ("Ada L", "Dora", "in clear then")
    await keys.destroy("person/a", 1)
    event = (await codec.decoder([kept]))(kept).event
    assert (event.giver_name, event.taker_name) == (f"{REDACTED} -", "Dora")


async def test_a_store_that_is_away_is_no_redaction_and_a_key_that_is_not_there_neither() -> None:
    store = MemoryKeyStore()
    codec = EventCodec([GIFT], keys=memory_keys(store, ttl=0))
    kept = stored(GIVEN, codec=codec)
    store.away = True
    for attempt in (
        codec.decoder([kept]),
        codec.encoder("gift-g-1", [GIVEN]),
        decode_batch(codec, [kept], 7, caught_up=True),
    ):
        with pytest.raises(KeyStoreUnavailable):
            await attempt
    store.away = False
    store.records.clear()
    with pytest.raises(KeyStoreUnavailable, match="has no key 1 of person/"):
        await codec.decoder([kept])


async def test_a_tampered_event_is_parked_and_shown_with_nothing_in_clear() -> None:
    kept = stored(GIVEN)
    batch = await decode_batch(CODEC, [changed(kept, stream="gift-g-2")], 7, caught_up=True)
    assert batch.events[0].recorded is None
    assert "was not encrypted for this place" in str(batch.events[0].fault)
    assert CANARY not in repr(batch)


async def test_events_without_personal_fields_ask_for_no_key() -> None:
    store = MemoryKeyStore()
    store.away = True
    codec = EventCodec([GIFT], keys=memory_keys(store))
    lost = GiftLost("g-1")
    new = (await codec.encoder("gift-g-1", [lost]))(lost, EventMetadata(), "id")
    kept = StoredEvent("id", new.type, "gift-g-1", 0, 7, 0, new.data, new.metadata)
    assert (await codec.decoder([kept]))(kept).event == lost
    assert store.asked == 0


def test_what_has_personal_fields_is_not_encoded_or_decoded_without_its_keys() -> None:
    with pytest.raises(KeysNotFetched):
        CODEC.encode(GIVEN, EventMetadata(), "id")
    with pytest.raises(KeysNotFetched):
        CODEC.decode(stored(GIVEN))


def test_errors_about_an_event_are_told_without_what_is_personal() -> None:
    text = f"ValueError: {CANARY} and Dora-Name-4411 sent 3 g"
    assert without_personal(text, GIVEN) == f"ValueError: {REDACTED} and {REDACTED} sent 3 g"
    assert without_personal(text, GiftLost("g-1")) == text


class NoSubject(Struct):
    name: Annotated[str, Personal("person", "person_id")]


class ByPersonal(Struct):
    a: Annotated[str, Personal("person", "b")]
    b: Annotated[str, Personal("person", "a")]


class BadRedaction(Struct):
    person_id: str
    age: Annotated[int, Personal("person", "person_id")]


class Inside(Struct):
    person_id: str
    gifts: list[GiftSent]


@pytest.mark.parametrize("struct", [NoSubject, ByPersonal, BadRedaction, Inside])
def test_marks_that_can_not_be_are_refused(struct: type[Struct]) -> None:
    with pytest.raises(ValueError, match=struct.__name__):
        personal_fields(struct)
    with pytest.raises(ValueError, match=struct.__name__):
        EventCodec([msgspec.structs.replace(GIFT, events=(EventType("X", 1, struct),))])


def test_no_snapshot_keeps_what_is_personal() -> None:
    with pytest.raises(ValueError, match="personal fields"):
        Aggregate(
            "gift",
            "gifts",
            Note,
            (),
            GIFT.events,
            GIFT.decide,
            GIFT.evolve,
            begins_with=frozenset({GiftSent}),
            snapshot_every=5,
        )
