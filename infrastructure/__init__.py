"""Adapters that every service shares, one module each."""
