"""The image as it is built: how large, what is in it, who may do what in it, and that every service starts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.containers.engine import Engine
from tests.deploy.containers.images import EVENTFOLD, REVISION, VERSION
from tests.support.services import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MEGABYTE = 1_000_000
READ_ONLY = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--no-healthcheck",
)


@pytest.fixture(scope="module")
def tree(engine: Engine) -> Path:
    """All that is in the image."""
    container = engine.run("buildah", "from", EVENTFOLD).strip()
    return Path(engine.run("buildah", "mount", container).strip())


def inspected(engine: Engine) -> Any:
    (told,) = json.loads(engine.run("podman", "image", "inspect", EVENTFOLD))
    return told


def in_container(engine: Engine, *command: str, options: tuple[str, ...] = (), check: bool = True) -> str:
    """What a command says in a container that may do nothing."""
    return engine.inside("podman", "run", "--rm", *READ_ONLY, *options, EVENTFOLD, *command, check=check)


def test_it_is_below_250_megabytes_unpacked(engine: Engine) -> None:
    size = inspected(engine)["Size"]
    print(f"the image has {size / MEGABYTE:.0f} MB")
    assert size < 250 * MEGABYTE


def test_its_labels_say_what_it_is(engine: Engine) -> None:
    labels = inspected(engine)["Labels"]
    name = "org.opencontainers.image."
    assert (labels[f"{name}version"], labels[f"{name}revision"]) == (VERSION, REVISION)
    assert labels[f"{name}created"] == "2026-03-14T12:00:00Z"


def test_it_runs_as_nobody_and_has_nothing_to_write_to(engine: Engine) -> None:
    script = (
        "import os\n"
        "print(os.getuid(), os.getgid())\n"
        "for place in ('/', '/opt/eventfold', '/usr/lib', '/etc', '/data', '/tmp'):\n"
        "    try:\n"
        "        open(os.path.join(place, 'written'), 'w')\n"
        "        print('written to', place)\n"
        "    except OSError as error:\n"
        "        assert error.errno in (13, 30), error\n"
    )
    said = in_container(engine, "-c", script, options=("--entrypoint", "python"))
    assert said.splitlines() == ["10001 10001"]


def test_nothing_in_it_can_be_changed_by_its_user(tree: Path) -> None:
    """Also where a root file system is not read-only."""
    writable = [
        path
        for path in tree.rglob("*")
        if not path.is_symlink() and (path.stat().st_uid != 0 or path.stat().st_mode & 0o002)
    ]
    assert {str(path.relative_to(tree)) for path in writable} == {"data", "documents", "signatures", "tmp"}


def test_there_is_no_shell_and_no_package_manager(tree: Path) -> None:
    programs = {
        path.name for folder in ("bin", "usr/bin", "usr/sbin", "opt/eventfold/bin") for path in tree.glob(f"{folder}/*")
    }
    assert {"eventfold", "python"} <= programs
    assert not programs & {"sh", "bash", "dash", "apt", "apt-get", "dpkg", "pip", "pip3", "perl"}


def test_every_library_that_a_module_loads_is_there(engine: Engine) -> None:
    """Each compiled module of the environment and of the standard library is loaded by itself."""
    script = (
        "import ctypes, pathlib, sys, sysconfig\n"
        "count = 0\n"
        "for folder in (sysconfig.get_path('purelib'), sysconfig.get_path('stdlib')):\n"
        "    for path in sorted(pathlib.Path(folder).rglob('*.so')):\n"
        "        ctypes.CDLL(str(path))\n"
        "        count += 1\n"
        "print(count)\n"
    )
    said = in_container(engine, "-c", script, options=("--entrypoint", "python"))
    assert int(said) > 50


def test_its_bill_of_materials_names_what_is_there(tree: Path) -> None:
    bill = json.loads((tree / "opt/eventfold/sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    named = {one["purl"].partition("?")[0] for one in bill["components"] if "purl" in one}
    locked = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / "requirements-dev.lock").read_text()))
    folder = next(tree.glob("opt/eventfold/lib/python3*/site-packages"))
    installed = {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for name, version in (path.name.removesuffix(".dist-info").split("-", 1) for path in folder.glob("*.dist-info"))
    }
    assert installed.pop("eventfold") == VERSION
    assert {f"pkg:pypi/{name}@{version}" for name, version in installed.items()} <= named
    assert all(locked[name] == version for name, version in installed.items())
    entries = sorted((tree / "var/lib/dpkg/status.d").iterdir())
    assert {"libc6", "libssl3", "ca-certificates"} <= {entry.name for entry in entries}
    for entry in entries:
        assert any(one.startswith(f"pkg:deb/debian/{entry.name}@") for one in named), entry.name
        assert (tree / "usr/share/doc" / entry.name).exists() or entry.name in {"python-is-python3"}, entry.name
    assert any(one.startswith("pkg:generic/python@3.") for one in named)


@pytest.mark.parametrize("command", ["--version", "--help", "catalogue list", "doctor --help", "sagas list --help"])
def test_the_command_line_works(engine: Engine, command: str) -> None:
    assert in_container(engine, *command.split())
