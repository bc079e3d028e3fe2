"""What has become of the orders: their stock, their money and their mails, as expected and as found.

Which of two orders gets the last piece of a scarce article is nobody's to say beforehand. So the ending of each order
is taken from the views, and everything else must follow from it, from the input file and from the stock that came in.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from examples.retail.baskets.basket import Basket
from examples.retail.reconciliation.figures import Difference
from examples.retail.stock import demand_of

CONFIRMED, CANCELLED = "confirmed", "cancelled"


@dataclass(frozen=True, slots=True)
class StockFigures:
    """Units of one article: in the warehouse, promised to orders, promised to nobody."""

    on_hand: int
    reserved: int
    available: int


@dataclass(frozen=True, slots=True)
class Charge:
    """What the payment provider's own list says of one order, in cents."""

    status: str
    amount: int
    refunded: int

    @property
    def kept(self) -> int:
        """What the customer has paid in the end."""
        return self.amount - self.refunded if self.status == "succeeded" else 0


@dataclass(slots=True)
class FulfilmentFigures:
    """Stock by article, the provider's charges by order, and by order how many mails of each kind came, each counted
    once however often it came."""

    stock: dict[str, StockFigures] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    mails: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Cents charged and not given back."""
        return sum(charge.kept for charge in self.charges.values())

    @property
    def refunded(self) -> int:
        """Cents given back."""
        return sum(charge.refunded for charge in self.charges.values())


def fulfilment_differences(
    baskets: Iterable[Basket],
    supply: Mapping[str, int],
    endings: Mapping[str, str],
    got: FulfilmentFigures,
    signed: Collection[str] = (),
) -> list[Difference]:
    """What does not follow from the endings of the orders; `endings` has the status of each order that was placed,
    `signed` are the orders whose contracts were signed."""
    placed = [basket for basket in baskets if basket.order_id in endings]
    scarce = {sku for sku, wanted in demand_of(placed).items() if supply.get(sku, 0) < wanted}
    return [
        *(difference for basket in placed for difference in _of_order(basket, scarce, endings, got, signed)),
        *_of_stock(expected_stock(placed, supply, endings), got.stock),
        *(Difference("charge", one, None, got.charges[one]) for one in sorted(got.charges.keys() - endings.keys())),
        *(Difference("mail", one, None, dict(got.mails[one])) for one in sorted(got.mails.keys() - endings.keys())),
    ]


def expected_stock(
    placed: Iterable[Basket], supply: Mapping[str, int], endings: Mapping[str, str]
) -> dict[str, StockFigures]:
    """What came in, less what the confirmed orders were promised."""
    confirmed = demand_of(basket for basket in placed if endings[basket.order_id] == CONFIRMED)
    return {
        sku: StockFigures(units, confirmed.get(sku, 0), units - confirmed.get(sku, 0)) for sku, units in supply.items()
    }


def _of_order(
    basket: Basket,
    scarce: set[str],
    endings: Mapping[str, str],
    got: FulfilmentFigures,
    signed: Collection[str],
) -> Iterable[Difference]:
    order_id, ending = basket.order_id, endings[basket.order_id]
    total = sum(item.cents for item in basket.items)
    charge = got.charges.get(order_id, Charge("none", 0, 0))
    if charge.kept != (total if ending == CONFIRMED else 0):
        yield Difference("charge", order_id, f"{total if ending == CONFIRMED else 0} kept of it", charge)
    if charge.status in ("succeeded", "declined") and charge.amount != total:
        yield Difference("charge", order_id, f"{total} in all", charge)
    wants_scarce = any(str(item.product_id) in scarce for item in basket.items)
    if ending == CANCELLED and not wants_scarce and charge.status != "declined":
        yield Difference("order", order_id, "confirmed: nothing it wants is scarce, its payment not declined", ending)
    if ending not in (CONFIRMED, CANCELLED):
        yield Difference("order", order_id, "confirmed or cancelled", ending)
    mails = Counter({f"order-{ending}": 1})
    if ending == CONFIRMED:
        mails["contract-to-sign"] = 1
    if order_id in signed:
        mails["contract-signed"] = 1
    if charge.refunded:
        mails["payment-refunded"] = 1
    if got.mails.get(order_id, Counter()) != mails:
        yield Difference("mail", order_id, dict(mails), dict(got.mails.get(order_id, Counter())))


def _of_stock(expected: Mapping[str, StockFigures], got: Mapping[str, StockFigures]) -> Iterable[Difference]:
    for sku in sorted(expected.keys() | got.keys()):
        if expected.get(sku) != got.get(sku):
            yield Difference("stock", sku, expected.get(sku), got.get(sku))
