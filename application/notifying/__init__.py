"""Telling customers what has become of their orders: a consumer of events, which knows no process."""

from application.notifying.consumer import Notifying, notifying

__all__ = ["Notifying", "notifying"]
