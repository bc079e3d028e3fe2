"""Writes the mesh's manifests: `python -m deploy.mesh.generate`, after a change of deploy/mesh/calls.py."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from deploy.mesh import istio, linkerd

FOLDER = Path(__file__).parent
_HEAD = "# Written by `python -m deploy.mesh.generate` from deploy/mesh/calls.py; see docs/mesh.md.\n"


def files() -> Mapping[Path, str]:
    """Each file and its content."""
    found = {"istio.yaml": istio.resources(), "linkerd.yaml": linkerd.resources()}
    return {
        FOLDER / name: _HEAD + yaml.safe_dump_all(resources, sort_keys=False, width=120)
        for name, resources in found.items()
    }


def main() -> None:
    """Writes every file."""
    for path, text in files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
