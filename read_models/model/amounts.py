"""Sums of money by currency, in minor units."""


def added(amounts: dict[str, int], currency: str, amount: int) -> dict[str, int]:
    """`amounts` with `amount` added to the sum of one currency; the argument is left as it was."""
    return {**amounts, currency: amounts.get(currency, 0) + amount}
