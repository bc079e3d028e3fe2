"""Carries frames between hosts, late, not at all, or one way alone: `python -m tests.hosts.switch SEED NAME...`.

Each host has a TAP device of that name, made here, which whoever started this moves to where it belongs. The device at
place n of the line has the link address 02:00:00:00:00:n. Orders come on standard input, a JSON array a line; each is
answered by a line: `["cut", from, to]`, `["mend", from, to]`, `["wire", seconds, share]` (every frame is that late, and
that share of them is lost), `["tell"]` (how many frames were carried, lost and cut off).
"""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import struct
import sys
from collections import Counter
from collections.abc import Sequence

_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_HEADER = 0x0002 | 0x1000
_LARGEST = 65_536
_AT_ONCE = 64


class Switch:
    """`cuts` are pairs of names: of what the first sends nothing arrives at the second."""

    def __init__(self, names: Sequence[str], choose: random.Random) -> None:
        self.cuts: set[tuple[str, str]] = set()
        self.delay = 0.0
        self.loss = 0.0
        self.counts: Counter[str] = Counter()
        self._choose = choose
        self._names = list(names)
        self._taps = [_tap(name) for name in names]

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Carries frames while the loop runs."""
        for place, tap in enumerate(self._taps):
            loop.add_reader(tap, self._read, loop, place)

    def _read(self, loop: asyncio.AbstractEventLoop, place: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                frame = os.read(self._taps[place], _LARGEST)
            except OSError:  # there is no more, or the device is down
                return
            for other in self._receivers(frame, place):
                self._carry(loop, place, other, frame)

    def _receivers(self, frame: bytes, sender: int) -> list[int]:
        if frame[0] & 1:  # to all
            return [one for one in range(len(self._taps)) if one != sender]
        return [frame[5] - 1] if 1 <= frame[5] <= len(self._taps) else []

    def _carry(self, loop: asyncio.AbstractEventLoop, sender: int, receiver: int, frame: bytes) -> None:
        if (self._names[sender], self._names[receiver]) in self.cuts:
            self.counts["cut off"] += 1
        elif self.loss and self._choose.random() < self.loss:
            self.counts["lost"] += 1
        elif self.delay:
            loop.call_later(self.delay, self._deliver, receiver, frame)
        else:
            self._deliver(receiver, frame)

    def _deliver(self, receiver: int, frame: bytes) -> None:
        self.counts["carried"] += 1
        with contextlib.suppress(OSError):  # the device is down, or full
            os.write(self._taps[receiver], frame)

    def obey(self, order: list[str | float]) -> dict[str, int]:
        """Carries an order out; answers the counts so far."""
        match order:
            case ["cut", str(sender), str(receiver)]:
                self.cuts.add((sender, receiver))
            case ["mend", str(sender), str(receiver)]:
                self.cuts.discard((sender, receiver))
            case ["wire", delay, loss]:
                self.delay, self.loss = float(delay), float(loss)
            case ["tell"]:
                pass
            case _:
                raise ValueError(f"not an order: {order}")
        return dict(self.counts)


def _tap(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _TAP_WITHOUT_HEADER))
    return descriptor


async def main(seed: int, names: Sequence[str]) -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    switch = Switch(names, random.Random(seed))
    switch.run(loop)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print(json.dumps({}), flush=True)
    while line := await orders.readline():
        print(json.dumps(switch.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
