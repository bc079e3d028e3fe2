"""Reads of the read store: each within a bound, those of single documents put together."""
