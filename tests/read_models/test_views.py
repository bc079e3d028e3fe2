"""Each view by examples: what its documents hold after which events."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from application import APPLICATION
from domain.customers.aggregate import CUSTOMER
from domain.documents.signature_results.aggregate import SIGNATURE_RESULTS
from domain.model.process_events import PROCESS_EVENTS
from domain.model.recorded_event import RecordedEvent
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from domain.processes.order_fulfilment.process import ORDER_FULFILMENT
from infrastructure.read_store.subset import check_collection, check_document_type, check_index
from read_models.inventory.stock_levels import STOCK_LEVELS
from read_models.model.view import View, millis
from read_models.notifications.notifications import NOTIFICATIONS
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY
from read_models.ordering.daily_sales import DAILY_SALES
from read_models.ordering.order_details import ORDER_DETAILS
from read_models.ordering.order_list import ORDER_LIST
from read_models.payments.daily_payments import DAILY_PAYMENTS
from read_models.payments.payments import PAYMENTS
from tests.read_models.given import Given
from tests.support.bundled import VIEWS, stream_of
from tests.support.contracts import EVENTS as CONTRACT_EVENTS
from tests.support.notifications import FAILED, REQUESTED, SENT
from tests.support.orders import CANCELLED, CONFIRMED, CREATED, DELIVERED, HISTORIES, NOON, SHIPPED, TOTAL
from tests.support.payments import CHARGED, REFUNDED
from tests.support.payments import HISTORIES as PAYMENT_HISTORIES
from tests.support.samples import sample
from tests.support.stock import OPENED, RECEIVED, RELEASED, RESERVED, SHIPPED_OUT

NOON_MS = 1_773_489_600_000
HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000

OTHER = replace(CREATED, order_id="o-2", total=1_000, item_count=1, lines=CREATED.lines[:1])


DETAILS = {
    "order_id": "o-1",
    "customer_id": "customer-1",
    "currency": "USD",
    "status": "pending",
    "total": TOTAL,
    "item_count": 4,
    "lines": [
        {"sku": "apple", "quantity": 3, "unit_price": 50, "discount": 10, "total": 140},
        {"sku": "bread", "quantity": 1, "unit_price": 299, "discount": 0, "total": 299},
    ],
    "ordered_at": NOON_MS,
    "created_at": NOON_MS,
    "updated_at": NOON_MS,
    "version": 0,
}
WHEN_CONFIRMED = {"status": "confirmed", "confirmed_at": NOON_MS, "version": 1}
WHEN_SHIPPED = {
    "status": "shipped",
    "shipped_at": NOON_MS,
    "carrier": "DHL",
    "tracking_number": "JD014600",
    "version": 2,
}
WHEN_DELIVERED = {"status": "delivered", "delivered_at": NOON_MS, "version": 3}
WHEN_CANCELLED = {"status": "cancelled", "cancelled_at": NOON_MS, "cancel_reason": "changed my mind", "version": 1}


class TestOrderDetails:
    @pytest.mark.parametrize(
        ("history", "fields"),
        [
            ("pending", {}),
            ("confirmed", WHEN_CONFIRMED),
            ("shipped", WHEN_CONFIRMED | WHEN_SHIPPED),
            ("delivered", WHEN_CONFIRMED | WHEN_SHIPPED | WHEN_DELIVERED),
            ("cancelled", WHEN_CANCELLED),
        ],
    )
    async def test_an_order_in_each_status(self, history, fields):
        given = Given(ORDER_DETAILS, *HISTORIES[history])
        await given.then(**{"o-1": DETAILS | {"placed_position": given.positions[0]} | fields})

    async def test_the_time_of_the_last_event_is_the_time_of_update(self):
        given = Given(ORDER_DETAILS, CREATED, replace(CONFIRMED, confirmed_at=NOON + HOUR))
        later = {"confirmed_at": NOON_MS + HOUR_MS, "updated_at": NOON_MS + HOUR_MS, "version": 1}
        first = {"placed_position": given.positions[0], "status": "confirmed"}
        await given.then(**{"o-1": DETAILS | first | later})


ROW = {
    "order_id": "o-1",
    "customer_id": "customer-1",
    "status": "pending",
    "currency": "USD",
    "total": TOTAL,
    "item_count": 4,
    "ordered_at": NOON_MS,
    "created_at": NOON_MS,
    "updated_at": NOON_MS,
    "version": 0,
}


class TestCustomerOrders:
    @pytest.mark.parametrize("history", HISTORIES)
    async def test_an_order_in_each_status(self, history):
        given = Given(ORDER_LIST, *HISTORIES[history])
        row = ROW | {"status": history, "version": len(HISTORIES[history]) - 1}
        await given.then(**{"o-1": row | {"placed_position": given.positions[0]}})

    async def test_a_row_for_each_order(self):
        given = Given(ORDER_LIST, CREATED, OTHER, CONFIRMED)
        first, second, _ = given.positions
        other = {"order_id": "o-2", "total": 1_000, "item_count": 1, "placed_position": second}
        await given.then(
            **{
                "o-1": ROW | {"status": "confirmed", "version": 1, "placed_position": first},
                "o-2": ROW | other,
            }
        )


SUMMARY = {
    "customer_id": "customer-1",
    "orders": 1,
    "cancelled": 0,
    "spend": {"USD": TOTAL},
    "last_order_id": "o-1",
    "last_ordered_at": NOON_MS,
    "updated_at": NOON_MS,
}


class TestCustomerSummary:
    async def test_the_first_order(self):
        await Given(CUSTOMER_SUMMARY, CREATED).then(**{"customer-1": SUMMARY})

    async def test_what_happens_to_an_order_later_does_not_matter_unless_it_is_cancelled(self):
        given = Given(CUSTOMER_SUMMARY, CREATED, CONFIRMED, SHIPPED, DELIVERED)
        await given.then(**{"customer-1": SUMMARY})

    async def test_a_cancelled_order_leaves_the_spend_but_not_the_count(self):
        given = Given(CUSTOMER_SUMMARY, CREATED, OTHER, CANCELLED)
        figures = {"orders": 2, "cancelled": 1, "spend": {"USD": 1_000}, "last_order_id": "o-2"}
        await given.then(**{"customer-1": SUMMARY | figures})

    async def test_a_currency_of_which_nothing_is_left_stays_at_zero(self):
        given = Given(CUSTOMER_SUMMARY, CREATED, CANCELLED)
        await given.then(**{"customer-1": SUMMARY | {"cancelled": 1, "spend": {"USD": 0}}})

    async def test_each_currency_has_a_sum_of_its_own(self):
        given = Given(CUSTOMER_SUMMARY, CREATED, replace(OTHER, currency="EUR"))
        figures = {"orders": 2, "spend": {"USD": TOTAL, "EUR": 1_000}, "last_order_id": "o-2"}
        await given.then(**{"customer-1": SUMMARY | figures})

    async def test_the_last_order_is_the_latest_by_business_time(self):
        given = Given(CUSTOMER_SUMMARY, CREATED, replace(OTHER, ordered_at=NOON - HOUR))
        await given.then(**{"customer-1": SUMMARY | {"orders": 2, "spend": {"USD": TOTAL + 1_000}}})

    async def test_customers_apart(self):
        given = Given(CUSTOMER_SUMMARY, CREATED, replace(OTHER, customer_id="customer-2"))
        other = {"customer_id": "customer-2", "spend": {"USD": 1_000}, "last_order_id": "o-2"}
        await given.then(**{"customer-1": SUMMARY, "customer-2": SUMMARY | other})


class TestDailySales:
    async def test_the_orders_of_a_day(self):
        given = Given(DAILY_SALES, CREATED, OTHER, CONFIRMED)
        day = {"day": 20260314, "orders": 2, "cancelled": 0, "revenue": {"USD": TOTAL + 1_000}}
        await given.then(**{"2026-03-14": day})

    async def test_a_cancelled_order_leaves_the_revenue_of_its_own_day(self):
        given = Given(DAILY_SALES, CREATED, OTHER, replace(CANCELLED, cancelled_at=NOON + 48 * HOUR))
        day = {"day": 20260314, "orders": 2, "cancelled": 1, "revenue": {"USD": 1_000}}
        await given.then(**{"2026-03-14": day})

    async def test_the_day_is_that_of_the_business_time_in_utc(self):
        evening_in_new_york = datetime(2026, 3, 14, 20, 30, tzinfo=timezone(timedelta(hours=-4)))
        given = Given(DAILY_SALES, replace(CREATED, ordered_at=evening_in_new_york))
        day = {"day": 20260315, "orders": 1, "cancelled": 0, "revenue": {"USD": TOTAL}}
        await given.then(**{"2026-03-15": day})

    async def test_each_currency_has_a_sum_of_its_own(self):
        given = Given(DAILY_SALES, CREATED, replace(OTHER, currency="JPY"))
        day = {"day": 20260314, "orders": 2, "cancelled": 0, "revenue": {"USD": TOTAL, "JPY": 1_000}}
        await given.then(**{"2026-03-14": day})


@pytest.mark.parametrize(
    ("view", "event"),
    [
        (ORDER_DETAILS, CONFIRMED),
        (ORDER_LIST, SHIPPED),
        (CUSTOMER_SUMMARY, CANCELLED),
        (DAILY_SALES, CANCELLED),
        (STOCK_LEVELS, RESERVED),
        (PAYMENTS, CHARGED),
        (DAILY_PAYMENTS, REFUNDED),
        (NOTIFICATIONS, SENT),
    ],
)
def test_an_event_before_the_one_that_begins_it_is_an_error_not_a_guess(view: View, event):
    with pytest.raises(ValueError, match=getattr(event, "sku", event.order_id)):
        view.fold(None, RecordedEvent(event, stream_of(event), 0, 7, 0))


# The streams of every context, each with an event of every type.
STREAMS: list[tuple[Any, ...]] = [
    (CREATED, CONFIRMED, SHIPPED, DELIVERED, CANCELLED),
    (OPENED, RECEIVED, RESERVED, RELEASED, SHIPPED_OUT),
    tuple({type(event): event for history in PAYMENT_HISTORIES.values() for event in history}.values()),
    (REQUESTED, SENT, FAILED),
    tuple({type(event): event for event in CONTRACT_EVENTS}.values()),
    tuple(sample(one.struct) for one in SIGNATURE_RESULTS.events),
    tuple(sample(one.struct) for one in CUSTOMER.events),
    tuple(sample(one.struct) for one in PROVIDER_RESULTS.events),
    tuple(sample(one.struct) for one in (*ORDER_FULFILMENT.events, *PROCESS_EVENTS)),
]


def events_of(view: View) -> list[Any]:
    """Those of one stream that the view folds, whatever their type."""
    return [event for stream in STREAMS for event in stream if type(event) in view.events]


def test_no_event_type_of_the_domain_is_left_out():
    types = {type(event) for stream in STREAMS for event in stream}
    of_aggregates = {one.struct for aggregate in APPLICATION.aggregates for one in aggregate.events}
    of_processes = {one.struct for process in APPLICATION.processes for one in (*process.events, *PROCESS_EVENTS)}
    assert types == of_aggregates | of_processes


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
class TestEveryView:
    def test_it_is_safe_in_the_read_store(self, view: View):
        check_collection(view.collection)
        check_document_type(view.document)
        for index in view.indexes:
            check_index(index, view.document)

    def test_an_event_of_a_stream_gives_the_same_keys_whatever_its_type(self, view: View):
        """Or else the events of one document would not be folded in order."""
        events = events_of(view)
        assert {type(event) for event in events} == view.events
        assert len({view.keys(event) for event in events}) == 1

    def test_only_a_view_of_single_streams_says_that_it_is_one(self, view: View):
        event = events_of(view)[0]
        field = next(name for name in ("sku", "order_id", "reference", "customer_id") if hasattr(event, name))
        elsewhere = replace(event, **{field: "another"})
        assert stream_of(elsewhere) != stream_of(event)
        assert view.per_stream is (view.keys(event) != view.keys(elsewhere))


def test_names_are_unique():
    assert len({view.collection for view in VIEWS}) == len(VIEWS)


def test_milliseconds():
    assert millis(datetime(1970, 1, 1, 0, 0, 1, 234_567, tzinfo=UTC)) == 1_235
