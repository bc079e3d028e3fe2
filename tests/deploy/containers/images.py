"""The images of a run."""

import os
import subprocess
import tomllib
from pathlib import Path

from tests.deploy.containers.engine import Engine
from tests.support.services import ROOT

BASE = "localhost/debian-with-python"
STORES = "localhost/embedded-stores"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
EVENTFOLD = f"localhost/eventfold:{VERSION}"
REVISION = "0123456789abcdef"
HERE = Path(__file__).parent


def build_base(engine: Engine) -> None:
    """The smallest Debian of this machine's release, with its Python. Copyright notices stay, as in others. Or what
    EVENTFOLD_TEST_BASE names: a root file system in a tar file, as `docker export` makes it of a container."""
    if given := os.environ.get("EVENTFOLD_TEST_BASE"):
        import_base(engine, Path(given))
        return
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    tree = engine.folder / "base.tar"
    engine.run(
        *("mmdebstrap", "--quiet", "--variant=minbase"),
        "--include=ca-certificates,python3,python3-venv,python-is-python3",
        *("--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*"),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        *(release["VERSION_CODENAME"], str(tree)),
    )
    import_base(engine, tree)
    tree.unlink()


def import_base(engine: Engine, tree: Path) -> None:
    """The base that this file system is."""
    container = engine.run("buildah", "from", "scratch").strip()
    engine.run("buildah", "add", "--quiet", container, str(tree), "/")
    engine.run("buildah", "commit", "--quiet", container, BASE)
    engine.run("buildah", "rm", container)


def build_eventfold(engine: Engine) -> None:
    """The image, by its own Dockerfile, of what git has."""
    files = engine.folder / "source"
    files.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (files / name).parent.mkdir(parents=True, exist_ok=True)
            (files / name).write_bytes((ROOT / name).read_bytes())
    arguments = {"BASE": BASE, "REVISION": REVISION, "CREATED": "2026-03-14T12:00:00Z"}
    engine.build(files / "deploy/image/Dockerfile", EVENTFOLD, files, arguments)


def build_stores(engine: Engine) -> None:
    """The stand-ins for both stores."""
    engine.build(HERE / "stores.Dockerfile", STORES, ROOT, {"BASE": BASE})


def build_mailpit(engine: Engine, program: str, tag: str) -> None:
    """Mailpit, as its own image has it."""
    folder = engine.folder / "mailpit"
    (folder / "tmp").mkdir(parents=True)
    (folder / "tmp").chmod(0o1777)
    (folder / "mailpit").write_bytes(Path(program).read_bytes())
    (folder / "mailpit").chmod(0o755)
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY mailpit /mailpit\nCOPY tmp /tmp\nENTRYPOINT ["/mailpit"]\n')
    engine.build(folder / "Dockerfile", f"localhost/{tag}", folder)
