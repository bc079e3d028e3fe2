"""Gathers what the services need of the system they were built on, and nothing else: `python rootfs.py TARGET FOLDER`.

TARGET becomes the root of an image: Python with its standard library, the shared libraries that it and the compiled
modules in FOLDER load, certificates, and a user. No shell, no package manager. Of each Debian package that a file comes
from, TARGET has the entry and the copyright notice, where scanners look for them (/var/lib/dpkg/status.d).

Ends with the name of what was not found, if a library is missing.
"""

import compileall
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

USER, ID = "eventfold", 10001
# Of the standard library: tests, what draws on screens and terminals, what installs and documents packages, and what is
# for Berkeley DB and for NIS, each of which would bring libraries of its own.
LEFT_OUT = shutil.ignore_patterns(
    *("test", "tests", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "lib2to3", "pydoc_data"),
    *("config-*", "site-packages", "dist-packages", "__pycache__", "_tkinter.*", "_test*.so", "LICENSE.txt"),
    *("curses", "_curses*", "readline.*", "dbm", "_dbm.*", "nis.*", "ossaudiodev.*"),
)
# Loaded by name when a thread is cancelled, so that nothing which lists libraries tells of it.
LOADED_LATER = ("libgcc_s.so.1",)
# Data that libraries look for by its path.
DATA = ("/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ssl", "/etc/os-release", "/usr/share/zoneinfo")
LINKS = {"/usr/lib/ssl/certs": "/etc/ssl/certs", "/usr/lib/ssl/openssl.cnf": "/etc/ssl/openssl.cnf"}


def main(target: Path, folder: Path) -> None:
    python = folder / "bin" / "python"
    copied = copy(Path(os.path.normpath(python.parent / python.readlink())), target)
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, inside(target, library), symlinks=True, ignore=LEFT_OUT)
    # Compiled here, because nobody may write there: otherwise each start would compile all that it imports.
    compileall.compile_dir(
        inside(target, library),
        quiet=1,
        stripdir=str(target),
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    for shared in needed([copied[-1], *compiled(inside(target, library)), *compiled(folder)]):
        copied += copy(shared, target)
    for path in map(Path, DATA):
        if path.exists():
            # The time zones are there three times; nobody asks for the other two.
            others = shutil.ignore_patterns("right", "posix")
            shutil.copytree(path, inside(target, path), ignore=others) if path.is_dir() else copy(path, target)
            copied.append(path)
    for link, leads_to in LINKS.items():
        inside(target, Path(link)).parent.mkdir(parents=True, exist_ok=True)
        inside(target, Path(link)).symlink_to(leads_to)
    # Where Python stands in a folder of its own, as /usr/local, the loader finds its library by this list.
    subprocess.run(["ldconfig", "-r", target], check=True)  # noqa: S603, S607 - the builder's own
    shutil.rmtree(inside(target, Path("/var/cache/ldconfig")), ignore_errors=True)
    user(target)
    packages(target, [*copied, library / "os.py", Path("/etc/ssl/certs"), Path("/usr/sbin/update-ca-certificates")])


def inside(target: Path, path: Path) -> Path:
    return target / path.relative_to("/")


def compiled(folder: Path) -> Iterator[Path]:
    """The compiled modules, and the libraries that came with them."""
    for path in sorted(folder.rglob("*.so*")):
        if path.is_file() and not path.is_symlink():
            yield path


def needed(programs: Iterable[Path]) -> Iterator[Path]:
    """The system's libraries that these load, with all that those load, and the loader itself."""
    found = set()
    for program in programs:
        told = subprocess.run(["ldd", program], capture_output=True, text=True)  # noqa: S603, S607 - the builder's own
        for line in told.stdout.splitlines():
            name, _, place = line.strip().partition(" => ")
            if place.startswith("not found"):
                sys.exit(f"{program} needs {name}, which is not here")
            path = Path((place or name).split(" (")[0])
            if path.is_absolute() and not path.is_relative_to("/opt"):
                found.add(path)
    folders = {path.parent for path in found}
    for name in LOADED_LATER:
        found.add(next(place / name for place in sorted(folders) if (place / name).exists()))
    yield from sorted(found)


def copy(path: Path, target: Path) -> list[Path]:
    """Copies a file, or a link with all that it leads to; folders on the way that are links stay links."""
    folder = Path("/")
    for part in path.parent.parts[1:]:
        folder /= part
        if folder.is_symlink():
            there = inside(target, folder)
            if not there.is_symlink():
                there.parent.mkdir(parents=True, exist_ok=True)
                there.symlink_to(folder.readlink())
            return copy(folder.resolve() / path.relative_to(folder), target)
    place = inside(target, path)
    if not place.is_symlink() and not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place, follow_symlinks=False)
    if path.is_symlink():
        return [path, *copy(Path(os.path.normpath(path.parent / path.readlink())), target)]
    return [path]


def user(target: Path) -> None:
    """The user that the services run as, with the folders that are its own, and what else a system says of itself."""
    (target / "etc").mkdir(exist_ok=True)
    nobody = "/nonexistent:/sbin/nologin"
    (target / "etc/passwd").write_text(f"root:x:0:0:root:/root:/sbin/nologin\n{USER}:x:{ID}:{ID}::{nobody}\n")
    (target / "etc/group").write_text(f"root:x:0:\n{USER}:x:{ID}:\n")
    (target / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    (target / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")  # libraries warn where none is named
    (target / "tmp").mkdir()
    (target / "tmp").chmod(stat.S_ISVTX | 0o777)
    for name in ("data", "documents", "signatures"):  # a volume has the owner of what it is mounted over
        (target / name).mkdir()
        os.chown(target / name, ID, ID)


def packages(target: Path, copied: Iterable[Path]) -> None:
    """Writes down which Debian packages these files are of, as images without a package manager do."""
    database = Path("/var/lib/dpkg")
    # A package's list may name a file by the folder that became a link to another one.
    wanted = {spelled for path in copied for spelled in (str(path), str(path).removeprefix("/usr"))}
    names = {
        listing.name.removesuffix(".list").partition(":")[0]
        for listing in sorted((database / "info").glob("*.list"))
        if not wanted.isdisjoint(listing.read_text().splitlines())
    }
    entries = inside(target, database / "status.d")
    entries.mkdir(parents=True)
    for entry in (database / "status").read_text().split("\n\n"):
        name = entry.partition("\n")[0].removeprefix("Package: ")
        if name in names:
            (entries / name).write_text(entry + "\n")
            notice = Path("/usr/share/doc", name, "copyright")
            if notice.is_file():
                inside(target, notice).parent.mkdir(parents=True)
                shutil.copy2(notice, inside(target, notice))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
