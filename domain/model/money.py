"""Amounts are integers in the currency's minor unit (cents for USD); never floats."""

MAX_AMOUNT = 2**53
"""The largest amount that every JSON reader represents exactly."""
