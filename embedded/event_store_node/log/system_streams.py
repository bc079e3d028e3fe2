"""The streams that are in every log from the start, and what `$all` leaves out."""

import json

# Both the stream's name and the type of its events.
EPOCH_STREAM = "$epoch-information"

SCAVENGES_STREAM = "$scavenges"
_THIRTY_DAYS = 30 * 86400
SCAVENGES_METADATA = json.dumps(
    {"$maxAge": _THIRTY_DAYS, "$acl": {"$r": "$ops", "$w": [], "$d": [], "$mr": [], "$mw": []}}, separators=(",", ":")
).encode()


def is_hidden_from_all(stream: str) -> bool:
    """Whether `$all` leaves it out: the epochs, and what would feed a persistent subscription its own traces."""
    return stream == EPOCH_STREAM or (
        stream.startswith("$persistentsubscription-$all::") and stream.endswith(("-checkpoint", "-parked"))
    )
