"""Adds the Debian packages of an image to its bill of materials: `python bill.py SBOM ROOT`.

ROOT is what `rootfs.py` gathered; SBOM is a CycloneDX document about the Python packages, which it is written into.
Python itself is named as well. Package URLs: https://github.com/package-url/purl-spec (deb, generic).
"""

import json
import platform
import sys
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote


def main(bill: Path, root: Path) -> None:
    told = json.loads(bill.read_text())
    version = platform.python_version()
    told["components"].append(component("cpython", version, f"pkg:generic/python@{version}"))
    release = dict(line.split("=", 1) for line in (root / "etc/os-release").read_text().splitlines() if "=" in line)
    distribution = f"{release['ID']}-{release['VERSION_ID'].strip(chr(34))}"
    for entry in sorted((root / "var/lib/dpkg/status.d").iterdir()):
        package = HeaderParser().parsestr(entry.read_text())
        name, version = package["Package"], package["Version"]
        purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={package['Architecture']}&distro={distribution}"
        told["components"].append(component(name, version, purl))
    bill.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")


def component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
