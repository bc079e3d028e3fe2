"""What is acknowledged stays, whoever wrote it and whoever reads it afterwards."""

import asyncio
import random
import threading
import time
from pathlib import Path

import pytest
from pymongo import InsertOne, MongoClient, ReplaceOne
from pymongo.errors import PyMongoError

from infrastructure.read_store import Page, ReadStore, StoredDocument, Write
from tests.support.read_store import ReadStoreServer

WRITERS = 3
BULK = 200


class Writer(threading.Thread):
    """Bulk-writes without pause until the server is gone; remembers what was acknowledged."""

    def __init__(self, uri: str, number: int) -> None:
        super().__init__()
        self.collection = f"things_{number}"
        self.acknowledged: dict[str, int] = {}
        self._uri = uri

    def run(self) -> None:
        with MongoClient(self._uri, w="majority", retryWrites=False, serverSelectionTimeoutMS=2_000) as client:
            position = 0
            try:
                while True:
                    position += 1
                    old = random.sample(sorted(self.acknowledged), min(BULK, len(self.acknowledged)))
                    new = [f"k{position}_{n}" for n in range(BULK)]
                    self._write(client, [InsertOne(_document(key, position)) for key in new])
                    self.acknowledged.update(dict.fromkeys(new, position))
                    self._write(client, [_replacement(key, position) for key in old])
                    self.acknowledged.update(dict.fromkeys(old, position))
            except PyMongoError:
                return

    def _write(self, client: MongoClient, operations: list) -> None:
        if operations:
            client["crash"][self.collection].bulk_write(operations, ordered=False)


def _document(key: str, position: int) -> dict[str, object]:
    return {"_id": key, "_position": position, "lines": [{"sku": f"sku-{n}", "total": n} for n in range(9)]}


def _replacement(key: str, position: int) -> ReplaceOne:
    return ReplaceOne({"_id": key, "_position": {"$lt": position}}, _document(key, position), upsert=True)


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.9])
def test_sigkill_during_bulk_writes_loses_nothing_acknowledged(tmp_path: Path, seconds: float):
    server = ReadStoreServer(tmp_path)
    server.start()
    writers = [Writer(server.uri, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    while not all(writer.acknowledged for writer in writers):
        time.sleep(0.02)
        assert all(writer.is_alive() for writer in writers)
    time.sleep(seconds)
    server.kill()
    for writer in writers:
        writer.join(30)
    server.start()
    try:
        with MongoClient(server.uri) as client:
            for writer in writers:
                kept = {one["_id"]: one["_position"] for one in client["crash"][writer.collection].find()}
                lost = {key for key, position in writer.acknowledged.items() if kept.get(key, 0) < position}
                assert not lost
    finally:
        server.kill()


@pytest.mark.parametrize("first", [[], ["--plain"]])
async def test_a_data_directory_serves_both_ways(tmp_path: Path, first: list[str]):
    second = [] if first else ["--plain"]
    fields = {"value": 1, "text": "é\n\"'", "big": 2**53 + 1, "lines": [{"n": 1.5, "flag": True}]}
    for number, options in enumerate([first, second, first]):
        server = ReadStoreServer(tmp_path, *options)
        await asyncio.to_thread(server.start)
        store = ReadStore(server.uri, "shared")
        try:
            if number:
                before = {key: StoredDocument(number, {**fields, "value": number}) for key in ("a", "b")}
                assert await store.load("things", ["a", "b", "gone"]) == before | {"gone": StoredDocument(number, None)}
                assert await store.count("things", {"value": number}) == 2
                stale = [Write("a", number, fields), Write("b", number, fields, new=True)]
                assert await store.write("things", stale) == {"a", "b"}
            written = {**fields, "value": number + 1}
            await store.write("things", [Write(key, number + 1, written) for key in ("a", "b")])
            await store.write("things", [Write("gone", number + 1, None)])
            page = await store.page("things", Page({"value": number + 1}, by="value", limit=5))
            assert {key for key, _ in page} == {"a", "b"}
        finally:
            await store.close()
            server.kill()
