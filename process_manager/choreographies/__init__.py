"""Chains of events that nobody coordinates, read from the log."""
