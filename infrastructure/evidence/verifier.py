"""The formats of the evidence, and the check of an exported proof: in one file that runs alone.

    python verifier.py PROOF.json --key VERIFIER_KEY

needs Python 3.11 and the package `cryptography`, nothing else of Eventfold: an auditor can take this file along. The
rest of the package makes what this file checks, and takes the formats from here. docs/tamper-evidence.md specifies
every byte.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

# What each hash begins with, so that none can be taken for another one.
_LINK = b"eventfold/link/v1"
_EVENT = b"eventfold/event/v1"

FIRST_PREVIOUS = bytes(32)
"""What stands for the link before the first one of a chain."""

ENTRY_VERSION = "1"
PROOF_FORMAT = "eventfold/proof/v1"

_ED25519 = b"\x01"
_CHAIN = re.compile(rb'"chain":"1:(0|[1-9][0-9]{0,17}):([0-9a-f]{64})"\}')
_LENGTH_BYTES = 8


class NotProven(Exception):
    """Something that does not hold; the message names it."""


# Chains of streams


class Link(NamedTuple):
    """A place in the chain of a stream: `place` links stand before it. `digest` is over all that is linked."""

    place: int
    digest: bytes


def link_digest(previous: bytes, place: int, stream: str, id_: str, type_: str, data: bytes, metadata: bytes) -> bytes:
    """The digest of a link: over the one before it and its event, whose metadata are without the link."""
    return _hash(_LINK, previous, _number(place), stream.encode(), id_.encode(), type_.encode(), data, metadata)


def linked_metadata(metadata: bytes, link: Link) -> bytes:
    """A JSON object with the link as its last member."""
    separator = b"" if metadata == b"{}" else b","
    return b'%b%b"chain":"1:%d:%b"}' % (metadata[:-1], separator, link.place, link.digest.hex().encode())


def split_metadata(metadata: bytes) -> tuple[bytes, Link | None]:
    """Stored metadata without their link, and the link; None where there is none in exactly its form and place."""
    start = metadata.rfind(b'"chain":"')
    found = _CHAIN.fullmatch(metadata, start) if start > 0 else None
    if found is None:
        return metadata, None
    link = Link(int(found[1]), bytes.fromhex(found[2].decode()))
    bare = metadata[:start].removesuffix(b",") + b"}"
    return (bare, link) if linked_metadata(bare, link) == metadata else (metadata, None)


# Entries of the tree


class Entry(NamedTuple):
    """What the tree holds of an event. `digest` is over the whole event."""

    position: int
    revision: int
    id: str
    digest: bytes
    stream: str

    def encode(self) -> bytes:
        """The bytes of the leaf."""
        fields = (ENTRY_VERSION, self.position, self.revision, self.id, self.digest.hex(), self.stream)
        return " ".join(map(str, fields)).encode()

    @classmethod
    def decode(cls, entry: bytes) -> "Entry":
        """Raises ValueError when it is none of this version."""
        version, position, revision, id_, digest, stream = entry.decode().split(" ", 5)
        if version != ENTRY_VERSION:
            raise ValueError(f"an entry of version {version[:20]!r}")
        return cls(int(position), int(revision), id_, bytes.fromhex(digest), stream)


def event_digest(
    stream: str, revision: int, id_: str, type_: str, recorded_at: int, data: bytes, metadata: bytes
) -> bytes:
    """The digest of a whole event as it is stored, the link in its metadata included."""
    numbers = _number(revision), id_.encode(), type_.encode(), _number(recorded_at)
    return _hash(_EVENT, stream.encode(), *numbers, data, metadata)


# The tree (RFC 9162, 2.1)


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion path leads to (RFC 9162, 2.1.3.2). Raises NotProven when it is no path to a root."""
    if not 0 <= index < size:
        raise NotProven(f"there is no leaf {index} in a tree of {size}")
    first, second, root = index, size - 1, leaf
    for step in path:
        if second == 0:
            raise NotProven("the inclusion path is too long")
        if first & 1 or first == second:
            root = node_hash(step, root)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            root = node_hash(root, step)
        first, second = first >> 1, second >> 1
    if second != 0:
        raise NotProven("the inclusion path is too short")
    return root


# Signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint)


class VerifierKey(NamedTuple):
    """Whoever has it can tell what its owner signed; `hash` is the key's short name in a signature."""

    name: str
    hash: bytes
    public: bytes

    def encode(self) -> str:
        """As it is given away: one line."""
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def decode(cls, text: str) -> "VerifierKey":
        """Raises NotProven when it is no Ed25519 verifier key."""
        name, _, rest = text.strip().partition("+")
        short, _, key = rest.partition("+")
        raw = _decoded(key)
        if len(raw) != 33 or raw[:1] != _ED25519 or short != key_hash(name, raw[1:]).hex():
            raise NotProven("that is no verifier key (NAME+HASH+BASE64, Ed25519)")
        return cls(name, bytes.fromhex(short), raw[1:])


class Checkpoint(NamedTuple):
    """What was signed: the log's name, how many events, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes

    def encode(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_hash(name: str, public: bytes) -> bytes:
    """The four bytes by which signatures name the key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def open_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint in a signed note. Raises NotProven when the key's owner did not sign it."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator:
        raise NotProven("the checkpoint is no signed note")
    text += "\n"
    if not signatures.endswith("\n"):
        raise NotProven("the checkpoint ends in the middle of a line")
    for line in signatures[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        signature = _decoded(encoded)
        if dash != "\N{EM DASH}" or len(signature) < 5:
            raise NotProven("the checkpoint has a signature line that is none")
        if (name, signature[:4]) == (key.name, key.hash):
            if not _signed(key.public, signature[4:], text.encode()):
                raise NotProven(f"the checkpoint's signature by {key.name} does not hold: the checkpoint was altered")
            return _checkpoint(text)
    raise NotProven(f"the checkpoint is not signed by {key.name} with this key")


def _checkpoint(text: str) -> Checkpoint:
    origin, size, root, *_ = [*text.split("\n"), "", "", ""]
    decoded = _decoded(root)
    if not origin or not re.fullmatch("0|[1-9][0-9]{0,17}", size) or len(decoded) != 32:
        raise NotProven("what was signed is no checkpoint")
    return Checkpoint(origin, int(size), decoded)


def _signed(public: bytes, signature: bytes, text: bytes) -> bool:
    # Not at the top: what only links events need not load it.
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return _signed_by_python_alone(public, signature, text)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _signed_by_python_alone(public: bytes, signature: bytes, text: bytes) -> bool:
    """With the file that lies beside this one in a bundle of evidence."""
    try:
        from ed25519 import verify  # type: ignore[import-not-found]
    except ImportError:
        raise NotProven("the signature can't be checked here: pip install cryptography") from None
    return bool(verify(public, signature, text))


def _decoded(text: str) -> bytes:
    """Base64; nothing for what is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _hash(label: bytes, *fields: bytes) -> bytes:
    """Over the label and each field with its length before it."""
    parts = [label]
    for field in fields:
        parts += (len(field).to_bytes(_LENGTH_BYTES, "big"), field)
    return hashlib.sha256(b"".join(parts)).digest()


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


# Proofs


class Proof(NamedTuple):
    """What a proof that holds says."""

    stream: str
    revisions: tuple[int, int]
    checkpoint: Checkpoint
    unlinked: int


def check_proof(proof: Any, key: VerifierKey) -> Proof:
    """Checks all of a proof, decoded from its JSON. Raises NotProven, with the first thing that does not hold."""
    try:
        if proof["format"] != PROOF_FORMAT:
            raise NotProven(f"a proof of the format {str(proof['format'])[:40]!r} is unknown here")
        checkpoint = open_checkpoint(proof["checkpoint"], key)
        stream, events = proof["stream"], proof["events"]
        if not isinstance(stream, str) or not events:
            raise NotProven("the proof has no events")
        previous: Link | None = None
        last = None
        unlinked = 0
        for event in events:
            where = f"{stream}, revision {event['revision']}"
            if last is not None and event["revision"] != last + 1:
                raise NotProven(f"{where}: it does not come after revision {last}: events are missing or out of order")
            last = event["revision"]
            link = _check_link(where, stream, event, previous)
            unlinked += link is None
            previous = link or previous
            _check_inclusion(where, stream, event, checkpoint)
        return Proof(stream, (events[0]["revision"], events[-1]["revision"]), checkpoint, unlinked)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise NotProven(f"the file is no proof, or damaged: {type(error).__name__}: {error}") from error


def _check_link(where: str, stream: str, event: Any, previous: Link | None) -> Link | None:
    metadata, link = split_metadata(_bytes(event["metadata"]))
    if link is None:
        if previous is not None:
            raise NotProven(f"{where}: it has no link, although the events before it have")
        return None
    if previous is None and link.place > 0:
        return link  # what it goes on from has been cut off
    if link.place not in (0, previous.place + 1 if previous else 0):
        raise NotProven(
            f"{where}: it is link {link.place} of the chain, after link {previous.place if previous else -1}"
        )
    before = previous.digest if previous and link.place else FIRST_PREVIOUS
    data = _bytes(event["data"])
    if link.digest != link_digest(before, link.place, stream, event["id"], event["type"], data, metadata):
        raise NotProven(f"{where}: it is not what was linked: it, or the event before it, was altered")
    return link


def _check_inclusion(where: str, stream: str, event: Any, checkpoint: Checkpoint) -> None:
    fields = event["revision"], event["id"], event["type"], event["recorded_at"]
    digest = event_digest(stream, *fields, _bytes(event["data"]), _bytes(event["metadata"]))
    entry = Entry(event["position"], event["revision"], event["id"], digest, stream)
    path = [base64.b64decode(step, validate=True) for step in event["path"]]
    try:
        root = root_from_path(leaf_hash(entry.encode()), event["leaf"], checkpoint.size, path)
    except NotProven as error:
        raise NotProven(f"{where}: {error}") from error
    if root != checkpoint.root:
        raise NotProven(f"{where}: the event is not in the tree of the checkpoint: it, or its inclusion, was altered")


def _bytes(value: Any) -> bytes:
    """Text stands for its UTF-8 bytes; what is no text is given in base64."""
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"], validate=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Checks a proof file; 0 when it holds, 1 when not, with the reason."""
    parser = argparse.ArgumentParser(description="Checks a proof that `eventfold audit export` made.")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--key", required=True, metavar="KEY", help="the verifier key, or a file that holds it")
    args = parser.parse_args(argv)
    try:
        proof = check_file(args.file, args.key)
    except NotProven as error:
        sys.stderr.write(f"not proven: {error}\n")
        return 1
    sys.stdout.write(told(proof) + "\n")
    return 0


def check_file(file: Path, key: str) -> Proof:
    """Raises NotProven, also when a file can't be read."""
    verifier_key = read_key(key)
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise NotProven(f"{file} can't be read as a proof: {error}") from error
    return check_proof(document, verifier_key)


def read_key(key: str) -> VerifierKey:
    """From its text or from a file. Raises NotProven."""
    with contextlib.suppress(NotProven):
        return VerifierKey.decode(key)
    try:
        text = Path(key).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise NotProven(f"{key[:100]!r} is no verifier key, nor a file that can be read: {error}") from error
    return VerifierKey.decode(text)


def told(proof: Proof) -> str:
    """The proof in a sentence."""
    first, last = proof.revisions
    unlinked = f"; {proof.unlinked} of them were written without a link" if proof.unlinked else ""
    return (
        f"proven: {proof.stream}, revisions {first} to {last}, is in the log {proof.checkpoint.origin} as it was "
        f"signed with {proof.checkpoint.size} events{unlinked}"
    )


if __name__ == "__main__":
    sys.exit(main())
