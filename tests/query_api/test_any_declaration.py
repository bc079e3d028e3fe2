"""Whatever a view declares: right parameters find what they say, wrong ones are 400, and pages are whole."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.application import Application
from query_api.http.route import Route
from read_models.model.query import KeyQuery, ListQuery, Query, RangeQuery
from read_models.model.query_checks import declared_parameters, path_parameters
from tests.query_api import declarations
from tests.query_api.declarations import Thing, any_text, application, list_queries, queries, sent, stored, things
from tests.query_api.in_memory import ask, by_operation, routes_in_memory
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.shelf import Shelf


class Served:
    """The route of one query over documents in memory."""

    def __init__(self, application: Application) -> None:
        self.store = MemoryReadStore()
        self.shelf = Shelf(self.store, application.views)
        (self.view,) = application.views
        self.route: Route = by_operation(routes_in_memory(application, self.store))["Q"]

    async def holds(self, documents: list[dict[str, Any]], key_field: str = "") -> None:
        """These documents, at positions from 1 on; their keys are numbers or what a field holds."""
        await self.shelf.prepare()
        for position, fields in enumerate(documents, start=1):
            thing = Thing(**{name: stored(name, value) for name, value in fields.items()}, placed=position)
            key = str(position)
            if key_field:
                value = fields[key_field]
                key = value.isoformat() if key_field == "day" else str(value)
            await self.shelf.write(self.view, [(key, position, thing)])
        if documents:
            await self.shelf.checkpoint(self.view, len(documents))

    async def ask(self, query: Query, values: dict[str, str], **more: str) -> tuple[int, Any]:
        """Asks with values that are ready to stand in a URL."""
        names = path_parameters(query.path)
        in_query = {name: value for name, value in values.items() if name not in names} | more
        text = "&".join(f"{name}={value}" for name, value in in_query.items())
        return await ask(self.route, text, **{name: values[name] for name in names})


@settings(max_examples=150, deadline=None)
@given(data=st.data(), query=queries, documents=st.lists(things, max_size=12))
async def test_right_parameters_find_what_they_say(
    data: st.DataObject, query: Query, documents: list[dict[str, Any]]
) -> None:
    served = Served(application(query))
    await served.holds(documents, query.key.name if isinstance(query, KeyQuery) else "")
    names = path_parameters(query.path)
    chosen = {}
    for parameter in declared_parameters(query):
        field = parameter.filtered_field
        if field in declarations.FIELDS and (parameter.required or parameter.name in names or data.draw(st.booleans())):
            chosen[parameter.name] = (field, data.draw(declarations.VALUES[field]))
    values = {name: sent(field, value) for name, (field, value) in chosen.items()}

    def meets(document: dict[str, Any]) -> bool:
        return all(document[field] == value for field, value in chosen.values())

    match query:
        case KeyQuery():
            status, body = await served.ask(query, values)
            assert status == (200 if any(map(meets, documents)) else 404), body
        case ListQuery():
            status, body = await served.ask(query, values, limit=str(query.greatest_limit))
            assert status == 200, body
            placed = [position for position, document in enumerate(documents, start=1) if meets(document)]
            if query.direction == "descending":
                placed.reverse()
            assert [row["placed"] for row in body["items"]] == placed[: query.greatest_limit]
            assert ("next" in body) == (len(placed) > query.greatest_limit)
        case RangeQuery():
            first, last = sorted(data.draw(st.tuples(*[declarations.VALUES[query.field]] * 2)))
            ends = {"from": sent(query.field, first), "to": sent(query.field, last)}
            status, body = await served.ask(query, values, **ends)
            found = [one for one in documents if meets(one) and first <= one[query.field] <= last]
            span = (last - first).days + 1 if query.field == "day" else last - first + 1
            if span > query.greatest_span or len(found) > query.greatest_rows:
                assert status == 400, body
            else:
                assert (status, len(body["items"])) == (200, len(found)), body


@settings(max_examples=300, deadline=None)
@given(data=st.data(), query=queries, documents=st.lists(things, max_size=3))
async def test_no_parameter_makes_it_fail_inside(
    data: st.DataObject, query: Query, documents: list[dict[str, Any]]
) -> None:
    served = Served(application(query))
    await served.holds(documents)
    names = path_parameters(query.path)
    values = {}
    for parameter in declared_parameters(query):
        known = declarations.VALUES.get(parameter.filtered_field)
        right = (
            known.map(lambda value, field=parameter.filtered_field: sent(field, value))
            if known is not None
            else any_text
        )
        if parameter.name in names or data.draw(st.booleans()):
            values[parameter.name] = data.draw(st.one_of(any_text, right))
    more = data.draw(st.dictionaries(st.sampled_from(["limit", "cursor", "at_least", "as_of"]), any_text, max_size=2))
    status, body = await served.ask(query, values, **more)
    # 503: at_least beyond the view.
    assert status in ((200, 400, 404, 503) if "at_least" in more else (200, 400, 404)), body


class Walk:
    """Goes through the pages of a list from the first to the last, and checks what it has seen then."""

    def __init__(self, served: Served, query: ListQuery, values: dict[str, str]) -> None:
        self._served, self._query, self._values = served, query, values
        self._seen: list[int] = []
        self._cursor: str | None = None
        self._checkpoint_at_first = 0

    async def turn(self, checkpoint: int) -> bool:
        """One page more; whether it was the last one. `checkpoint` is how far the view is."""
        more = {} if self._cursor is None else {"cursor": self._cursor}
        if not more:
            self._checkpoint_at_first = checkpoint
        status, page = await self._served.ask(self._query, self._values, **more)
        assert status == 200, page
        self._seen += [row["placed"] for row in page["items"]]
        self._cursor = page.get("next")
        if self._cursor is None:
            down = range(self._checkpoint_at_first, 0, -1)
            assert self._seen == list(down if self._query.direction == "descending" else range(1, checkpoint + 1))
        return self._cursor is None


STEPS = st.lists(st.one_of(st.just("turn"), st.integers(1, 6)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(query=list_queries(), fields=things, steps=STEPS, data=st.data())
async def test_pages_neither_repeat_nor_miss_a_row_while_rows_arrive(
    query: ListQuery, fields: dict[str, Any], steps: list[Any], data: st.DataObject
) -> None:
    served = Served(application(query))
    await served.holds([])
    values = {one.name: sent(one.filtered_field, fields[one.filtered_field]) for one in query.filters}
    thing = {name: stored(name, value) for name, value in fields.items()}
    checkpoint = 0
    walk = Walk(served, query, values)

    async def turn() -> None:
        nonlocal walk
        if await walk.turn(checkpoint):
            walk = Walk(served, query, values)

    for step in steps:
        if step == "turn":
            await turn()
            continue
        # A batch, whose rows are written in any order, and its checkpoint after them.
        for position in data.draw(st.permutations(range(checkpoint + 1, checkpoint + step + 1))):
            await served.shelf.write(served.view, [(str(position), position, Thing(**thing, placed=position))])
            if data.draw(st.booleans()):
                await turn()
        checkpoint += step
        await served.shelf.checkpoint(served.view, checkpoint)
    while not await walk.turn(checkpoint):
        pass
