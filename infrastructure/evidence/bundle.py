"""A bundle of evidence: a ZIP file that says what was agreed, and that anybody can check who has Python alone.

    manifest.json           what is in the bundle, each file with its SHA-256, and what can't be
    documents/…             the documents, as they were kept
    proofs/STREAM.json      the events of a stream that a signed checkpoint covers, with their proof
    events/STREAM.json      the events of a stream that none covers yet, as they are stored
    README.txt, check.py, verifier.py, ed25519.py   how to check all of it

The same content gives the same bytes: nothing is compressed, and no file has a time.
"""

import hashlib
import inspect
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from infrastructure.evidence import bundle_checker, ed25519, verifier
from infrastructure.evidence.log_proofs import ProvenEvents

_NO_TIME = (1980, 1, 1, 0, 0, 0)

README = """\
Evidence for {subject}
{underline}

documents/   the documents as they were agreed to; open them with any PDF reader.
proofs/      the events of the order and of its contract, exactly as they are stored, each with the way from it to the
             root of a signed tree over the whole log (RFC 9162), and the signed checkpoint itself.
events/      the same of events that no checkpoint covers yet: nothing proves these. There may be none.
manifest.json  the SHA-256 of each file, and which documents are not here and why.

What is personal stands encrypted in the events ("$personal"); the documents say it in clear.

To check all of it you need Python 3.11 or later and nothing else, no network, and the verifier key of who runs the
shop, which you should have from them in another way than by this file:

    python check.py --key KEY          in the folder where you have unpacked this file
    eventfold audit check FILE --key KEY    the same, where Eventfold is installed

It says what is proven, or the first thing that is not, with exit status 1. What is checked, in words: each document has
the SHA-256 that an event names; each event has the place in the signed tree that its proof says; the events of a stream
follow one another without a gap; and the tree's checkpoint was signed with the key. A digital signature upon a document
is checked by a PDF reader, by `pdfsig`, or by `eventfold documents verify FILE --ca CERTIFICATES`.
"""


class NamedDocument(Struct, frozen=True):
    """A document that belongs into the bundle. Without `content` it can't be read any more: its person is forgotten."""

    file: str
    digest: str
    content: bytes | None


def bundle(subject: str, documents: list[NamedDocument], streams: Mapping[str, ProvenEvents | None]) -> bytes:
    """The ZIP file. `subject` says what it is evidence for; `streams` are by name, None for one that was deleted."""
    files = {f"documents/{one.file}": one.content for one in documents if one.content is not None}
    for stream, events in streams.items():
        if events is not None and events.proof is not None:
            files[f"proofs/{stream}.json"] = _json(events.proof)
        if events is not None and events.not_covered:
            found = {"format": bundle_checker.EVENTS_FORMAT, "stream": stream, "events": events.not_covered}
            files[f"events/{stream}.json"] = _json(found)
    files["README.txt"] = README.format(subject=subject, underline="=" * (13 + len(subject))).encode()
    for name, module in (("check", bundle_checker), ("verifier", verifier), ("ed25519", ed25519)):
        files[f"{name}.py"] = inspect.getsource(module).encode()
    manifest = {
        "format": bundle_checker.BUNDLE_FORMAT,
        "subject": subject,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        "documents": [
            {"file": one.file, "sha256": one.digest, "state": "kept" if one.content is not None else "forgotten"}
            for one in documents
        ],
        "streams": [{"stream": name, **_counts(events)} for name, events in streams.items()],
    }
    return _zipped({"manifest.json": _json(manifest), **files})


def _counts(events: ProvenEvents | None) -> dict[str, Any]:
    if events is None:
        return {"state": "deleted"}
    proven = 0 if events.proof is None else len(events.proof["events"])
    return {"proven": proven, "not_covered": len(events.not_covered)}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _NO_TIME)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, content)
    return made.getvalue()
