"""Files in the making: each in a directory beside its target, until it is complete and gets the target's name."""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".unfinished"
_NAME = re.compile(r".+\.[a-z0-9_]{8}\.unfinished", re.DOTALL)
# Not the file itself: SQLite has locks of its own there, and on some systems all kinds of locks exclude one another.
_LOCK = "event-store-node.lock"
_FILE = "file"


@contextmanager
def unfinished_file(target: Path) -> Iterator[Path]:
    """
    The path of a new file, for the block to write, to sync and to rename or link to the target; what is left of it
    at the end is removed. What killed processes left in the target's directory is removed at the start, whatever their
    targets were. What a living one is at work on stays: its lock ends with the process.

    Raises:
        OSError: the target's directory is missing, or cannot be written to.
    """
    clear_unfinished(target.parent)
    directory, lock = _locked_directory(target)
    try:
        yield directory / _FILE
    finally:
        with suppress(OSError):
            _remove(directory)
        os.close(lock)


def clear_unfinished(directory: Path) -> None:
    """Remove what killed processes were making in a directory, as far as that can be done."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_left(Path(entry))


def _locked_directory(target: Path) -> tuple[Path, int]:
    """Another process may take it for left, and remove it, up to the moment when the lock is held."""
    while True:
        directory = Path(tempfile.mkdtemp(_SUFFIX, f"{target.name}.", target.parent))
        try:
            lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError:
            continue
        with suppress(OSError):  # a file system without locks: nobody gets this one either, and it stays
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink > 0:
            return directory, lock
        os.close(lock)


def _remove_if_left(directory: Path) -> None:
    """Remove the directory of a process that is gone; what is not of this make stays."""
    if directory.stat(follow_symlinks=False).st_uid != os.geteuid():
        return
    try:
        lock = os.open(directory / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        directory.rmdir()  # which fails unless it is empty
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which fails unless the process is gone
        _remove(directory)
    finally:
        os.close(lock)


def _remove(directory: Path) -> None:
    """The lock last: if this is cut off too, the next one finds out that nobody holds it."""
    for path in directory.iterdir():
        if path.name != _LOCK:
            path.unlink()
    (directory / _LOCK).unlink()
    directory.rmdir()
