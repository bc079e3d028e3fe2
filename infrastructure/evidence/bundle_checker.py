"""Checks a bundle of evidence: `python check.py --key KEY` beside its files, or with the ZIP file as an argument.

This file, verifier.py and ed25519.py lie in every bundle; they need Python's standard library alone.
"""

import argparse
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

try:
    from infrastructure.evidence.verifier import NotProven, Proof, VerifierKey, check_proof, read_key, told
except ImportError:
    from verifier import (  # type: ignore[import-not-found,no-redef]
        NotProven,
        Proof,
        VerifierKey,
        check_proof,
        read_key,
        told,
    )

BUNDLE_FORMAT = "eventfold/evidence/v1"
EVENTS_FORMAT = "eventfold/events/v1"

_MANIFEST = "manifest.json"
_MAX_BYTES = 512 << 20
_MAX_FILES = 10_000
_DIGEST = re.compile("[0-9a-f]{64}")
_NO_DOCUMENT = frozenset({"certificate_sha256"})


class Checked(NamedTuple):
    """What holds: the proofs, the documents that a proven event names, those that can't be here, and how many events
    are in the bundle that no checkpoint covers."""

    proofs: list[Proof]
    documents: list[str]
    forgotten: list[str]
    not_covered: int


def read_bundle(place: Path) -> dict[str, bytes]:
    """The files of a bundle, from the ZIP file or the folder it was unpacked into. Raises NotProven."""
    try:
        return _of_folder(place) if place.is_dir() else _of_zip(place)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise NotProven(f"{place} can't be read as a bundle: {error}") from error


def _of_zip(place: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(place) as archive:
        entries = archive.infolist()
        if len(entries) > _MAX_FILES or sum(one.file_size for one in entries) > _MAX_BYTES:
            raise NotProven(f"{place} is larger than any bundle")
        if len({one.filename for one in entries}) != len(entries):
            raise NotProven(f"{place} has a file twice")
        return {one.filename: archive.read(one) for one in entries if not one.is_dir()}


def _of_folder(place: Path) -> dict[str, bytes]:
    """Those that the manifest names, and none beside them."""
    manifest = (place / _MANIFEST).read_bytes()
    names = json.loads(manifest)["files"]
    if not isinstance(names, dict) or any(".." in Path(name).parts or Path(name).is_absolute() for name in names):
        raise NotProven("the manifest names files outside of the bundle")
    return {_MANIFEST: manifest, **{name: (place / name).read_bytes() for name in names if (place / name).is_file()}}


def check_bundle(files: Mapping[str, bytes], key: VerifierKey) -> Checked:
    """Checks all of a bundle. Raises NotProven, with the first thing that does not hold."""
    try:
        manifest = json.loads(files[_MANIFEST])
        if manifest["format"] != BUNDLE_FORMAT:
            raise NotProven(f"a bundle of the format {str(manifest['format'])[:40]!r} is unknown here")
        _check_files(files, manifest["files"])
        proofs, named = [], {}
        for name in sorted(files):
            if name.startswith("proofs/"):
                decoded = json.loads(files[name])
                proofs.append(_proof(name, decoded, key))
                named.update(_digests(decoded))
        if not proofs:
            raise NotProven("the bundle has no proof: no checkpoint covered its events when it was made")
        later = {name: json.loads(files[name]) for name in files if name.startswith("events/")}
        documents, forgotten = _check_documents(files, manifest["documents"], named, later.values())
        return Checked(proofs, documents, forgotten, sum(len(one["events"]) for one in later.values()))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise NotProven(f"the bundle is damaged: {type(error).__name__}: {error}") from error


def _check_files(files: Mapping[str, bytes], listed: Mapping[str, str]) -> None:
    for name, digest in listed.items():
        if name not in files:
            raise NotProven(f"{name} is not in the bundle")
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise NotProven(f"{name} is not what the manifest says: it was altered")
    for name in files.keys() - listed.keys() - {_MANIFEST}:
        raise NotProven(f"{name} is in the bundle, and the manifest does not name it")


def _proof(name: str, decoded: Any, key: VerifierKey) -> Proof:
    try:
        proof = check_proof(decoded, key)
    except NotProven as error:
        raise NotProven(f"{name}: {error}") from error
    if name != f"proofs/{proof.stream}.json":
        raise NotProven(f"{name} is the proof of {proof.stream}")
    return proof


def _digests(proof: Any) -> dict[str, str]:
    """Each SHA-256 of a document that an event names, and which event that is."""
    found: dict[str, str] = {}
    for event in proof["events"]:
        for field, value in _fields(event["data"]).items():
            if field.endswith("_sha256") and field not in _NO_DOCUMENT and _DIGEST.fullmatch(str(value)):
                found.setdefault(value, f"{proof['stream']}, revision {event['revision']} ({event['type']})")
    return found


def _fields(data: Any) -> Mapping[str, Any]:
    """Of an event whose data are an object in JSON; of another one none."""
    try:
        decoded = json.loads(data) if isinstance(data, str) else None
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _check_documents(
    files: Mapping[str, bytes], listed: Sequence[Any], named: Mapping[str, str], later: Any
) -> tuple[list[str], list[str]]:
    not_proven = {digest for one in later for digest in _digests(one)} - named.keys()
    documents, forgotten = [], []
    for one in listed:
        file, digest = f"documents/{one['file']}", one["sha256"]
        if digest in not_proven:
            raise NotProven(f"{file} is named by an event that no checkpoint covers yet: ask for a newer bundle")
        if digest not in named:
            raise NotProven(f"{file}: no event of the proofs names the SHA-256 {digest}")
        if one["state"] == "forgotten":
            forgotten.append(f"{file}, which {named[digest]} names")
            continue
        if hashlib.sha256(files[file]).hexdigest() != digest:
            raise NotProven(f"{file} is not the document that {named[digest]} names")
        documents.append(f"{file} is the document that {named[digest]} names")
    for digest in named.keys() - {one["sha256"] for one in listed}:
        raise NotProven(f"the document {digest}, which {named[digest]} names, is not in the bundle")
    for name in files:
        if name.startswith("documents/") and name not in {f"documents/{one['file']}" for one in listed}:
            raise NotProven(f"{name}: nothing says what document that is")
    return documents, forgotten


def lines_of(checked: Checked) -> list[str]:
    """What holds, a sentence a line."""
    lines = [told(proof) for proof in checked.proofs]
    lines += [f"proven: {one}" for one in checked.documents]
    lines += [f"can't be read any more, as its person is forgotten: {one}" for one in checked.forgotten]
    if checked.not_covered:
        lines.append(f"not proven: {checked.not_covered} later events, which no checkpoint covers yet")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Checks a bundle; 0 when it holds, 1 when not, with the reason."""
    parser = argparse.ArgumentParser(description="Checks a bundle of evidence.")
    parser.add_argument("bundle", nargs="?", type=Path, default=Path(__file__).parent, metavar="BUNDLE")
    parser.add_argument("--key", required=True, metavar="KEY", help="the verifier key, or a file that holds it")
    args = parser.parse_args(argv)
    try:
        checked = check_bundle(read_bundle(args.bundle), read_key(args.key))
    except NotProven as error:
        sys.stderr.write(f"not proven: {error}\n")
        return 1
    sys.stdout.write("\n".join(lines_of(checked)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
