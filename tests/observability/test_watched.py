"""A real Prometheus and Alertmanager over the running services: every series that a dashboard or a rule names is there,
alerts fire when it happens and arrive, and a graph leads to a trace."""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from deploy.grafana.boards.commands import COMMANDS
from tests.deploy.series import expressions, selectors
from tests.observability.watched import ALERTMANAGER, PROMETHEUS, Watched, order_of, watched
from tests.support.services import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        PROMETHEUS is None or ALERTMANAGER is None,
        reason="needs Prometheus and its Alertmanager: on Debian, apt-get install prometheus prometheus-alertmanager",
    ),
]

CANARY = "canary4711"
"""What the clients of this test put wherever they may put something."""
_SKUS = 110  # so many different keys fail one after another that a view is stopped

# Of what need not happen here: nothing fails, and no message comes that could be set aside.
_NOT_HERE = re.compile(
    r'status=~"5\.\."|outcome=~"unsigned|eventfold_inbound_dead_letters_total|parked_group_events|letter_group_messages'
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """Everything running, with some traffic; one process is stuck, one view stopped, one consumer behind."""
    async with watched(tmp_path_factory.mktemp("watched")) as stack:
        receipts = [stack.command("POST", f"/stock/sku-{n}/receive", {"quantity": 100_000}) for n in range(_SKUS)]
        assert set(await asyncio.gather(*receipts)) == {200}
        await stack.place("unhappy", "refund-fails-ada")
        traffic = asyncio.create_task(_people(stack))
        try:
            await until(lambda: _cancelled(stack, "unhappy"), "what was paid for is not wanted any more", 60)
            yield stack
        finally:
            traffic.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await traffic


async def _cancelled(stack: Watched, order: str) -> bool:
    """Whether it could be cancelled, once it was paid for: then the money is to be given back, which fails."""
    _, found = await stack.query(f"/orders/{order}")
    if found.get("status") != "confirmed":
        return False
    return await stack.command("POST", f"/orders/{order}/cancel", {"reason": "changed my mind"}) == 200


async def _people(stack: Watched) -> None:
    """Orders and queries, a few a second, whatever is answered."""
    for number in itertools.count():
        order, headers = f"{CANARY}-{number}", {"Idempotency-Key": f"{CANARY}-{number}"}
        for _ in range(2):
            await stack.command("PUT", f"/orders/{order}", order_of(CANARY), headers)
        for path in (f"/orders/{order}", "/orders?status=pending"):
            await stack.query(path)
        await asyncio.sleep(0.2)


async def test_every_series_that_a_dashboard_or_a_rule_names_is_there(stack: Watched):
    wanted = {one for expression in expressions() for one in selectors(expression)} - {"ALERTS"}
    wanted = {one for one in wanted if not _NOT_HERE.search(one)}
    assert len(wanted) > 60

    missing = set(wanted)

    async def nothing_is_missing() -> bool:
        missing.difference_update([one for one in missing if await stack.ask("series", **{"match[]": one})])
        return not missing

    with contextlib.suppress(AssertionError):
        await until(nothing_is_missing, "every series is there", 120)
    assert missing == set()


async def test_every_expression_is_understood(stack: Watched):
    for expression in expressions():
        await stack.value(expression)


@pytest.mark.parametrize(
    ("alert", "about"),
    [
        ("EventfoldProcessStuck", {"process": "order_fulfilment"}),
        ("EventfoldConsumerLags", {"consumer": "notifying"}),
        ("EventfoldDestinationLags", {"consumer": "relay_nobody"}),
        ("EventfoldConsumerStopped", {"consumer": "broken"}),
        ("EventfoldSourceStopped", {"consumer": "inbound_nobody"}),
        ("EventfoldCircuitOpen", {"service": "consumers", "dependency": "mail"}),
    ],
)
async def test_an_alert_fires_when_it_happens_and_arrives(stack: Watched, alert: str, about: dict[str, str]):
    async def arrived() -> bool:
        return any({"alertname": alert, **about}.items() <= labels.items() for labels in await stack.alerts())

    await until(arrived, f"{alert} of {about} reaches Alertmanager", 120)


async def test_no_alert_fires_of_what_is_well(stack: Watched):
    well = {
        *("EventfoldServiceDown", "EventfoldNodeDown", "EventfoldNodeRefusesWrites", "EventfoldSeveralVersions"),
        *("EventfoldSubscriptionLost", "EventfoldWebhooksRefused", "EventfoldBulkheadFull"),
    }

    # While everything starts, what waits for a minute elsewhere may fire here for a moment.
    async def all_is_well() -> bool:
        fires = any(labels["alertname"] in well for labels in await stack.alerts())
        return not fires and [one["value"][1] for one in await stack.value("up")] == ["1"] * 10

    await until(all_is_well, "nothing fires of what is well, and all ten are up", 120)


async def test_no_label_has_a_value_that_a_client_sent(stack: Watched):
    odd = f"/{CANARY}/{CANARY}?{CANARY}={CANARY}"
    ports = stack.ports
    for port in (ports.command_api, ports.query_api, ports.projector, ports.consumers, ports.process_manager):
        for method in ("GET", CANARY.upper()):
            url = f"http://127.0.0.1:{port}{odd}"
            async with stack.http.request(method, url, headers={"Eventfold-Actor": CANARY}) as response:
                assert response.status in (400, 404, 405)
    for port in (
        *(ports.command_api, ports.query_api, ports.projector, ports.consumers),
        *(ports.process_manager, ports.payment_webhooks, ports.event_relay, ports.node_metrics),
        *(ports.signing_page, ports.inbound),
    ):
        shown = await stack.metrics(port)
        assert "process_resident_memory_bytes" in shown
        assert CANARY not in shown.lower()


async def test_a_panel_leads_to_a_trace_and_the_trace_to_its_log_lines(stack: Watched):
    (panel,) = (one for one in COMMANDS.panels if one.title == "Time of an append")
    trace_id = uuid4().hex
    await stack.place(f"{CANARY}-traced", CANARY, {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"})

    async def shown() -> bool:
        for query in panel.queries:
            found = await stack.ask("query_exemplars", query=query.expr, start="0", end=str(2**33))
            if trace_id in {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}:
                return True
        # An exemplar is of the newest request of its bucket: another came in between two scrapes.
        await stack.place(f"{CANARY}-{uuid4()}", CANARY, {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"})
        return False

    await until(shown, "a point on the panel has the trace's id", 30)

    async def logged() -> bool:
        log = await asyncio.to_thread((stack.logs / "command-api.log").read_text)
        lines = [json.loads(line) for line in log.splitlines() if trace_id in line and line.endswith("}")]
        return any(line.get("event") == "request" and line["trace_id"] == trace_id for line in lines)

    await until(logged, "a line of the log has the trace's id", 30)
