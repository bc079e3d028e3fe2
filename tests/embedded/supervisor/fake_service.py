"""A child process for the supervisor's tests: says that it is ready by making a file, then does as it is told."""

import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    behaviour, directory, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    print(f"{name} starts as {behaviour}", flush=True)
    if behaviour == "fails":
        print(f"{name} can't find its configuration", flush=True)
        sys.exit(3)
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(_note_end(directory, name)))
    if behaviour != "never-ready":
        (directory / f"{name}.ready").write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def _note_end(directory: Path, name: str) -> int:
    with (directory / "ended").open("a") as ended:
        ended.write(name + "\n")
    return 0


if __name__ == "__main__":
    main()
