"""What became of connections, as Prometheus metrics."""

from prometheus_client import Counter, Gauge

OPEN = Gauge("eventfold_http_connections", "HTTP connections open now")
REFUSED = Counter(
    "eventfold_http_connections_refused", "Requests and connections refused before the API saw them", ["reason"]
)
TIMED_OUT = Counter(
    "eventfold_http_connections_timed_out", "Connections closed because the client was too slow", ["reason"]
)

# All of them, so that each is there before it first happens.
for _reason in (
    *("gave-way", "pipelining", "connections", "malformed", "framing"),
    *("url-too-long", "head-too-large", "too-many-headers"),
):
    REFUSED.labels(_reason)
for _reason in ("head", "body", "write", "silent", "idle"):
    TIMED_OUT.labels(_reason)
