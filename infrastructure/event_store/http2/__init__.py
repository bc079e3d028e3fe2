"""Read calls over plain HTTP/2, without grpcio's cost for each message (docs/decisions/0007)."""

from infrastructure.event_store.http2.call import ReadCall
from infrastructure.event_store.http2.keep_alive import KeepAliveTimes
from infrastructure.event_store.http2.status import CallFailed, NotUnderstood
from infrastructure.event_store.http2.target import Target, Unsupported, target_of

__all__ = ["CallFailed", "KeepAliveTimes", "NotUnderstood", "ReadCall", "Target", "Unsupported", "target_of"]
