"""How long a consumer takes over its messages: what "extra statistics" show."""

import time
from collections import deque

_WINDOW = 1000


class Timings:
    """The times of the last 1,000 messages, in whole milliseconds."""

    def __init__(self) -> None:
        self._begun: dict[bytes, float] = {}
        self._times: deque[int] = deque(maxlen=_WINDOW)

    def begin(self, id_: bytes) -> None:
        self._begun[id_] = time.monotonic()

    def end(self, id_: bytes) -> None:
        begun = self._begun.pop(id_, None)
        if begun is not None:
            self._times.append(int((time.monotonic() - begun) * 1000))

    def measurements(self) -> list[tuple[str, int]]:
        """Names and values as the server gives them; empty before the first message is done."""
        if not self._times:
            return []
        times = sorted(self._times)
        count = len(times)

        def percentile(percent: float) -> int:
            return times[min(int(percent / 100 * count), count - 1)]

        return [
            ("Mean", sum(times) // count),
            ("Median", times[count // 2]),
            ("Fastest", times[0]),
            *((f"Quintile {number + 1}", percentile(number * 20)) for number in range(5)),
            *((f"{percent}%", percentile(float(percent))) for percent in ("90", "95", "99", "99.5", "99.9")),
            ("Highest", times[-1]),
        ]
