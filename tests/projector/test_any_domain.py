"""The services as processes with another domain than the bundled one: nothing in them is about orders."""

from infrastructure.read_store import ReadStore
from tests.support.http_session import http_session
from tests.support.services import TINY, node_uri, running, start_node, until


async def test_commands_become_documents(read_store_database, tmp_path):
    node = await start_node(tmp_path)
    given = {
        "eventstore_uri": node_uri(node.port),
        "mongo_uri": read_store_database.uri,
        "mongo_database": read_store_database.name,
    }
    try:
        async with (
            running("command_api", tmp_path, domain=TINY, **given) as commands,
            running("projector", tmp_path, domain=TINY, **given) as projector,
            running("query_api", tmp_path, domain=TINY, **given) as queries,
            http_session() as http,
        ):
            async with http.put(f"{commands.url}/lamps/l-1", json={"room": "kitchen", "watts": 60}) as answer:
                assert answer.status == 201
            async with http.post(f"{commands.url}/lamps/l-1/switch-on") as answer:
                assert answer.status == 200
                position = (await answer.json())["position"]
            async with http.post(f"{projector.url}/drain") as answer:
                assert (answer.status, await answer.json()) == (200, {"position": position})
            async with http.get(f"{projector.url}/views") as answer:
                assert [view["name"] for view in (await answer.json())["views"]] == ["lamp_details", "parcel_days"]
            await until(lambda: queries.answers("/health/ready"), "the query API is ready")
    finally:
        await node.kill()
    store = ReadStore(read_store_database.uri, read_store_database.name)
    found = (await store.load("lamp_details_v1", ["l-1"]))["l-1"]
    await store.close()
    assert found.position == position
    assert found.fields is not None
    assert (found.fields["room"], found.fields["status"]) == ("kitchen", "on")
