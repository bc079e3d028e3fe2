"""Keys of persons and master keys: races, destroyed keys, rotation with a crash at any step."""

import asyncio
import contextlib
import stat
from pathlib import Path
from typing import Any

import pytest

from infrastructure.personal_data import (
    KeyId,
    KeyRecord,
    KeyStoreUnavailable,
    MasterKeys,
    PersonalKeys,
    make_master_key,
)
from infrastructure.personal_data.key_store import WrongMasterKey, tombstone
from infrastructure.personal_data.master_keys import new_master_key, parse, write_master_keys
from infrastructure.personal_data.rotation import drop_older, finish, rotate
from tests.support.memory_keys import MemoryKeyStore, MemoryMasterKeys, memory_keys

KEY = KeyId("person/a", 1)


class SlowStore(MemoryKeyStore):
    """Lets others come between any two of its steps."""

    async def newest(self, subject: str) -> KeyRecord | None:
        await asyncio.sleep(0)
        found = await super().newest(subject)
        await asyncio.sleep(0)
        return found


async def test_of_two_that_make_a_key_at_once_both_use_the_one_that_is_stored() -> None:
    store, masters = SlowStore(), MemoryMasterKeys()
    processes = [PersonalKeys(store, masters) for _ in range(8)]
    sealing = await asyncio.gather(*(one.to_seal({"person/a": False}) for one in processes))
    assert len({one["person/a"].secret for one in sealing}) == 1
    opened = await PersonalKeys(store, masters).to_open([KEY])
    assert opened[KEY] == sealing[0]["person/a"].secret is not None


async def test_a_destroyed_key_is_used_no_longer_than_said() -> None:
    store, masters, now = MemoryKeyStore(), MemoryMasterKeys(), [0.0]
    here, there = (PersonalKeys(store, masters, ttl=5.0, clock=lambda: now[0]) for _ in range(2))
    await here.to_seal({"person/a": False})
    assert (await there.to_open([KEY]))[KEY] is not None
    await here.destroy("person/a", 1)
    assert (await here.to_open([KEY]))[KEY] is None
    now[0] = 4.9
    assert (await there.to_open([KEY]))[KEY] is not None
    now[0] = 5.0
    assert (await there.to_open([KEY]))[KEY] is None
    asked = store.asked
    now[0] = 1e6
    assert (await there.to_open([KEY]))[KEY] is None
    assert store.asked == asked, "what is destroyed stays destroyed"
    sealed = await there.to_seal({"person/a": False})
    assert sealed["person/a"].secret is None, "at once, in every process"


async def test_who_comes_back_gets_another_key_and_a_late_destruction_leaves_it_alone() -> None:
    keys = memory_keys(ttl=0)
    first = (await keys.to_seal({"person/a": True}))["person/a"]
    assert (await keys.to_seal({"person/a": True}))["person/a"] == first
    await keys.destroy("person/a", await keys.current("person/a"))
    second = (await keys.to_seal({"person/a": True}))["person/a"]
    assert (second.id.generation, second.secret == first.secret) == (2, False)
    await keys.destroy("person/a", 1)
    assert await keys.to_open([KEY, second.id]) == {KEY: None, second.id: second.secret}
    await keys.destroy("person/b", await keys.current("person/b"))
    assert await keys.current("person/b") == 0


async def test_few_are_cached_and_all_are_found() -> None:
    store = MemoryKeyStore()
    keys = memory_keys(store, capacity=3)
    await keys.to_seal({f"person/{number}": False for number in range(10)})
    wanted = [KeyId(f"person/{number}", 1) for number in range(10)]
    assert len({*(await keys.to_open(wanted)).values()}) == 10
    assert len(keys._cached) == 3
    asked = store.asked
    await keys.to_open(wanted[-3:])
    assert store.asked == asked


async def test_a_wrong_master_key_is_told_and_is_no_redaction() -> None:
    store = MemoryKeyStore()
    await memory_keys(store).to_seal({"person/a": False})
    other = memory_keys(store)
    for attempt in (other.check(), other.ping(), other.to_open([KEY]), other.to_seal({"person/a": False})):
        with pytest.raises(WrongMasterKey, match="master key"):
            await attempt
    await memory_keys().check()
    tampered = MemoryKeyStore()
    masters = MemoryMasterKeys()
    keys = PersonalKeys(tampered, masters)
    await keys.to_seal({"person/a": False, "person/b": False})
    # A wrapped key in the place of another.
    a, b = (tampered.records[KeyId(f"person/{one}", 1)] for one in "ab")
    tampered.records[a.id] = KeyRecord(a.id, b.master, b.wrapped)
    with pytest.raises(KeyStoreUnavailable, match="damaged"):
        await keys.to_open([KEY])


def test_the_master_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    make_master_key(path)
    first = MasterKeys(path).all()
    make_master_key(path)
    assert MasterKeys(path).all() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["master.key"]
    assert first[0].secret.hex() not in repr(first[0])


@pytest.mark.parametrize("text", ["", "# nothing\n", "c2hvcnQ=\n", "no base64!\n"])
def test_a_file_without_a_key_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(text)
    with pytest.raises(KeyStoreUnavailable, match="master"):
        MasterKeys(path).all()
    with pytest.raises(KeyStoreUnavailable, match="master"):
        MasterKeys(tmp_path / "none").all()
    with pytest.raises(KeyStoreUnavailable):
        parse(text, path)


class Killed(BaseException):
    """The process ends here."""


class DyingStore(MemoryKeyStore):
    """Ends the process at its n-th answer, before or after the work."""

    def __init__(self, records: dict[KeyId, KeyRecord], steps: int) -> None:
        super().__init__()
        self.records, self.steps = records, steps

    def _come(self) -> None:
        super()._come()
        self.steps -= 1
        if self.steps < 0:
            raise Killed


@pytest.mark.parametrize("steps", range(14))
async def test_a_rotation_that_is_killed_anywhere_is_gone_on_with(tmp_path: Path, steps: int) -> None:
    store, path = MemoryKeyStore(), tmp_path / "master.key"
    make_master_key(path)
    masters, told = MasterKeys(path), list[str]()
    keys = PersonalKeys(store, masters, ttl=0)
    made = await keys.to_seal({f"person/{number}": False for number in range(4)})
    await keys.destroy("person/3", 1)
    secrets = {one.id: one.secret for one in made.values()} | {KeyId("person/3", 1): None}
    await rotate(store, masters, told.append)
    first = masters.all()[0].id
    with contextlib.suppress(Killed):
        await rotate(DyingStore(store.records, steps), masters, told.append)
    # Whatever happened, every process reads every key, meanwhile too.
    assert await PersonalKeys(store, MasterKeys(path)).to_open(secrets) == secrets
    assert await keys.to_open(secrets) == secrets
    await rotate(store, MasterKeys(path), told.append)
    assert await PersonalKeys(store, MasterKeys(path)).to_open(secrets) == secrets
    newest = MasterKeys(path).all()
    assert {one.master for one in store.records.values()} == {newest[0].id, ""}
    assert newest[0].id != first
    assert store.records[KeyId("person/3", 1)] == tombstone(KeyId("person/3", 1))
    await drop_older(store, MasterKeys(path), told.append)
    assert len(MasterKeys(path).all()) == 1
    assert await keys.to_open(secrets) == secrets
    assert await finish(store, MasterKeys(path), told.append) is None


async def test_one_who_has_not_seen_the_new_master_key_yet_loses_nothing(tmp_path: Path) -> None:
    """A key that is wrapped by the key before, after the rotation has gone through the store."""
    path, store = tmp_path / "master.key", MemoryKeyStore()
    make_master_key(path)
    before = MasterKeys(path).all()

    class Late(MasterKeys):
        def all(self) -> Any:
            return before

    await rotate(store, MasterKeys(path), lambda _: None)
    late = await PersonalKeys(store, Late(path)).to_seal({"person/a": False})
    keys = PersonalKeys(store, MasterKeys(path))
    assert (await keys.to_open([KEY]))[KEY] == late["person/a"].secret
    await rotate(store, MasterKeys(path), lambda _: None)
    assert (await PersonalKeys(store, MasterKeys(path)).to_open([KEY]))[KEY] == late["person/a"].secret


def test_the_file_of_master_keys_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    make_master_key(path)
    masters = MasterKeys(path)
    old, new = masters.all(), new_master_key()
    write_master_keys(path, (new, *old))
    assert masters.all() == (new, *old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
