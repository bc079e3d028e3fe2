"""One contract for every key store: the file, MongoDB's protocol over its wire, and the one in memory of the tests."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infrastructure.personal_data import KeyId, KeyRecord, KeyStore, KeyStoreUnavailable
from infrastructure.personal_data.document_key_store import DocumentKeyStore
from infrastructure.personal_data.file_key_store import FileKeyStore
from infrastructure.personal_data.key_store import tombstone
from infrastructure.read_store import ReadStore
from tests.support.memory_keys import MemoryKeyStore
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreDatabase


def record(subject: str, generation: int = 1, wrapped: str = "w", master: str = "m") -> KeyRecord:
    return KeyRecord(KeyId(subject, generation), master, wrapped)


@pytest.fixture(params=["memory", "file", "documents"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> ReadStoreDatabase | Path | None:
    """Where the store under test keeps its keys; None: in memory."""
    if request.param == "documents":
        database: ReadStoreDatabase = request.getfixturevalue("read_store_database")
        return database
    return tmp_path / "keys.db" if request.param == "file" else None


@pytest.fixture
async def store(place: ReadStoreDatabase | Path | None) -> AsyncIterator[KeyStore]:
    made: KeyStore
    if place is None:
        made = MemoryKeyStore()
    elif isinstance(place, Path):
        made = FileKeyStore(place)
    else:
        made = DocumentKeyStore(ReadStore(place.uri, place.name, journaled=True))
    yield made
    await made.close()


async def test_what_is_created_is_there_and_stays_the_first(store: KeyStore) -> None:
    assert await store.newest("person/a") is None
    assert await store.create(record("person/a", wrapped="one")) == record("person/a", wrapped="one")
    assert await store.create(record("person/a", wrapped="two")) == record("person/a", wrapped="one")
    await store.create(record("person/a/1", wrapped="other"))
    assert await store.newest("person/a") == record("person/a", wrapped="one")
    wanted = [KeyId("person/a", 1), KeyId("person/a", 2), KeyId("person/b", 1), KeyId("person/a/1", 1)]
    found = await store.load(wanted)
    assert found == {one.id: one for one in (record("person/a", wrapped="one"), record("person/a/1", wrapped="other"))}
    assert await store.load([]) == {}
    await store.ping()


async def test_of_many_that_create_at_once_one_wins_for_all(store: KeyStore) -> None:
    made = await asyncio.gather(*(store.create(record("person/a", wrapped=f"w{number}")) for number in range(20)))
    assert len(set(made)) == 1
    assert await store.newest("person/a") == made[0]


async def test_what_is_destroyed_is_never_made_again_nor_wrapped_anew(store: KeyStore) -> None:
    await store.create(record("person/a", 1))
    await store.create(record("person/a", 2))
    await store.create(record("person/b", 1))
    for _ in range(2):
        await store.destroy("person/a", 2)
        assert await store.load([KeyId("person/a", 1), KeyId("person/a", 2)]) == {
            KeyId("person/a", 1): tombstone(KeyId("person/a", 1)),
            KeyId("person/a", 2): tombstone(KeyId("person/a", 2)),
        }
    assert await store.create(record("person/a", 2, "again")) == tombstone(KeyId("person/a", 2))
    assert not await store.replace(record("person/a", 2), record("person/a", 2, "again"))
    assert not await store.replace(tombstone(KeyId("person/a", 2)), record("person/a", 2, "again"))
    assert (await store.newest("person/a")) == tombstone(KeyId("person/a", 2))
    assert await store.create(record("person/a", 3)) == record("person/a", 3)
    assert await store.newest("person/b") == record("person/b", 1)


async def test_one_that_was_never_there_is_destroyed_too(store: KeyStore) -> None:
    await store.destroy("person/a", 1)
    assert await store.create(record("person/a", 1)) == tombstone(KeyId("person/a", 1))


async def test_a_key_is_wrapped_anew_unless_it_has_changed(store: KeyStore) -> None:
    old = await store.create(record("person/a", 1, "old", "m1"))
    await store.create(record("person/b", 1, "kept", "m2"))
    await store.destroy("person/c", 1)
    assert (await store.foreign(["m2"]), await store.foreign(["m1", "m2"]), await store.foreign([])) == (1, 0, 2)
    assert await store.replace(old, record("person/a", 1, "new", "m2"))
    assert not await store.replace(old, record("person/a", 1, "newer", "m2"))
    assert await store.newest("person/a") == record("person/a", 1, "new", "m2")
    assert await store.foreign(["m2"]) == 0
    assert not await store.replace(record("person/z", 1), record("person/z", 1, "x"))


async def test_all_of_them_can_be_gone_through(store: KeyStore) -> None:
    made = {await store.create(record(f"person/{number}")) for number in range(12)}
    await store.destroy("person/0", 1)
    seen = [one async for one in store.scan()]
    assert len(seen) == 12
    assert set(seen) == {one for one in made if one.id.subject != "person/0"} | {tombstone(KeyId("person/0", 1))}


async def test_a_server_that_is_not_there_is_an_outage() -> None:
    store = DocumentKeyStore(
        ReadStore(f"mongodb://127.0.0.1:{free_port()}/?directConnection=true", "keys", timeout=0.3)
    )
    with pytest.raises(KeyStoreUnavailable):
        await store.newest("person/a")
    await store.close()


async def test_the_file_is_its_owners_alone_and_keeps_nothing_of_what_is_destroyed(tmp_path: Path) -> None:
    path, store = tmp_path / "keys.db", FileKeyStore(tmp_path / "keys.db")
    old_mask = os.umask(0)
    try:
        await store.create(record("person/a", wrapped="Canary-Key-5512"))
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"Canary-Key-5512" in path.read_bytes()
    await store.destroy("person/a", 1)
    left = list(tmp_path.iterdir())  # noqa: ASYNC240 - nothing else runs
    assert [one.name for one in left if b"Canary-Key-5512" in one.read_bytes()] == []
    await store.close()


async def test_a_file_that_can_not_be_used_is_an_outage(tmp_path: Path) -> None:
    missing = FileKeyStore(tmp_path / "nowhere" / "keys.db")
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database at all, " * 100)
    for store in (missing, FileKeyStore(broken)):
        with pytest.raises(KeyStoreUnavailable, match=r"keys\.db|broken\.db"):
            await store.newest("person/a")
    locked = FileKeyStore(tmp_path / "keys.db", timeout=0.05)
    await locked.create(record("person/a"))
    other = sqlite3.connect(tmp_path / "keys.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(KeyStoreUnavailable, match="locked"):
        await locked.create(record("person/b"))
    other.execute("ROLLBACK")
    assert await locked.create(record("person/b")) == record("person/b")
    other.close()
    await locked.close()


async def test_several_share_a_file(tmp_path: Path) -> None:
    stores = [FileKeyStore(tmp_path / "keys.db") for _ in range(4)]
    work = [
        store.create(record(f"person/{number % 10}", wrapped=f"{number}-{which}"))
        for number in range(40)
        for which, store in enumerate(stores)
    ]
    made = await asyncio.gather(*work)
    by_subject = {one.id.subject: {other for other in made if other.id == one.id} for one in made}
    assert all(len(same) == 1 for same in by_subject.values())
    for store in stores:
        await store.close()
