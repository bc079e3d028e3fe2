"""Destroying the keys of forgotten customers: a consumer of events."""

from application.erasing.consumer import Erasing, erasing

__all__ = ["Erasing", "erasing"]
