"""How much of each article comes in before the baskets are placed: of most as much as they want, of some too little."""

from collections.abc import Iterable, Mapping

from examples.retail.baskets.basket import Basket

SCARCE_EVERY = 60
"""One article in so many is scarce: two thirds of what is wanted come in."""


def demand_of(baskets: Iterable[Basket]) -> dict[str, int]:
    """The units of each article that the baskets want; a basket with a line of none is refused, and wants nothing."""
    demand: dict[str, int] = {}
    for basket in baskets:
        if all(item.quantity > 0 for item in basket.items):
            for item in basket.items:
                sku = str(item.product_id)
                demand[sku] = demand.get(sku, 0) + item.quantity
    return demand


def supply_for(demand: Mapping[str, int]) -> dict[str, int]:
    """The units of each article that come in; an article of which none do is left out."""
    supply = {sku: wanted * 2 // 3 if is_scarce(sku) else wanted for sku, wanted in sorted(demand.items())}
    return {sku: units for sku, units in supply.items() if units}


def is_scarce(sku: str) -> bool:
    """Whether too little of the article comes in; by its number, so that it is the same in every run."""
    return int(sku) % SCARCE_EVERY == 0
