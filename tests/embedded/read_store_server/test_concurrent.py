"""Several clients at once, on the same and on other collections and databases."""

import asyncio
import random
from pathlib import Path

import pytest

from infrastructure.read_store import Page, ReadStore, Write
from tests.support.read_store import ReadStoreServer

CLIENTS = 6
ROUNDS = 12
KEYS = [f"k{n}" for n in range(150)]


@pytest.mark.parametrize("databases", [1, 2])
async def test_the_newest_write_of_all_clients_is_kept(fast: ReadStoreServer, databases: int):
    """Each client writes to a collection of its own and to a shared one, where only the guard decides."""
    names = [f"concurrent_{databases}_{number}" for number in range(databases)]
    stores = [ReadStore(fast.uri, names[number % databases]) for number in range(CLIENTS)]
    newest: dict[tuple[str, str], int] = {}
    seen_backwards: list[str] = []

    async def client(number: int, store: ReadStore) -> None:
        choice, latest = random.Random(number), {}
        for turn in range(ROUNDS):
            position = turn * CLIENTS + number + 1
            chosen = choice.sample(KEYS, 100)
            writes = [Write(key, position, {"value": position, "writer": number}) for key in chosen]
            await asyncio.gather(store.write("shared", writes), store.write(f"own_{number}", writes))
            for key in chosen:
                where = (names[number % databases], key)
                newest[where] = max(newest.get(where, 0), position)
            for key, stored in (await store.load("shared", chosen)).items():
                if stored.position < max(position, latest.get(key, 0)):
                    seen_backwards.append(key)
                latest[key] = stored.position

    await asyncio.gather(*(client(number, store) for number, store in enumerate(stores)))
    assert not seen_backwards
    for store, name in zip(stores[:databases], names, strict=True):
        found = await store.load("shared", KEYS)
        assert {key: stored.position for key, stored in found.items()} == {
            key: position for (database, key), position in newest.items() if database == name
        }
        assert all(
            stored.fields == {"value": stored.position, "writer": (stored.position - 1) % CLIENTS}
            for stored in found.values()
        )
    for store in stores:
        await store.close()


async def test_what_the_services_send_is_on_the_fast_path(tmp_path: Path):
    """Otherwise a new version of the driver, which writes a message in another form, would go unnoticed."""
    server = ReadStoreServer(tmp_path, "--verbose")
    await asyncio.to_thread(server.start)
    store = ReadStore(server.uri, "ours")
    try:
        inserts = [Write(key, 1, {"lines": [{"n": 2**40, "money": 1.5}]}, new=True) for key in KEYS]
        assert await store.write("things", inserts) == frozenset()
        assert await store.write("things", [Write(key, 2, {"value": 2}) for key in [*KEYS, "other"]]) == frozenset()
        assert await store.write("things", [Write("other", 2, None)]) == {"other"}
        assert len(await store.load("things", KEYS)) == len(KEYS)
        assert await store.load("things", ["other"])
        assert await store.load("things", ["other"])
        assert await store.page("things", Page({"value": 2}, by="value", limit=1))
    finally:
        await store.close()
        server.kill()
    log = await asyncio.to_thread(Path(tmp_path, "nx.log").read_text)
    assert log.count("no fast path") == 1, "the page is not on it"
    assert "'insert': 'things'" not in log
