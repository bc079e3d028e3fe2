"""Personal fields of one event, encrypted and decrypted: AES-256-GCM, bound to where the field stands.

In the event's JSON an encrypted field is

    {"$personal": {"of": "customer/c-1", "key": 1, "sealed": "<nonce and ciphertext, base64>"}}

Without `sealed` it was written when its person was forgotten already. A value of null is left as it is.
"""

import base64
import binascii
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from domain.model.event_types import UndecodableEvent
from domain.model.personal import Marks, Personal
from infrastructure.personal_data.key_store import KeyId

TAG = "$personal"
_NONCE = 12

_json = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode


class SealingKey(Struct, frozen=True):
    """What encrypts a person's fields now; without a `secret` the person is forgotten."""

    id: KeyId
    secret: bytes | None

    def __repr__(self) -> str:
        return f"SealingKey({self.id})"


class Place(Struct, frozen=True):
    """The event that a field stands in."""

    stream: str
    event_id: str
    type: str


class _Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    of: str
    key: int
    sealed: str | None = None


def subjects(data: bytes, marks: Marks) -> Mapping[str, bool]:
    """Whose fields an event in clear has that must be encrypted, and whether one of them begins a new key."""
    fields = _json.decode(data)
    found: dict[str, bool] = {}
    for mark in _present(fields, marks).values():
        subject = _subject(fields, mark)
        found[subject] = found.get(subject, False) or mark.begins
    return found


def seal(data: bytes, marks: Marks, place: Place, keys: Mapping[str, SealingKey]) -> bytes:
    """The event's JSON with its personal fields encrypted."""
    fields = _json.decode(data)
    for name, mark in _present(fields, marks).items():
        key = keys[_subject(fields, mark)]
        sealed = {"of": key.id.subject, "key": key.id.generation}
        if key.secret is not None:
            nonce = secrets.token_bytes(_NONCE)
            text = AESGCM(key.secret).encrypt(nonce, _encode(fields[name]), _bound_to(place, name, key.id))
            sealed["sealed"] = base64.b64encode(nonce + text).decode()
        fields[name] = {TAG: sealed}
    return _encode(fields)


def needed(data: bytes, marks: Marks) -> Iterator[KeyId]:
    """The keys that an event's fields are encrypted with; none of what is no such event, which opening it will tell."""
    try:
        fields = _json.decode(data)
        for name in _present(fields, marks):
            sealed = _sealed(fields, name)
            if sealed.sealed is not None:
                yield KeyId(sealed.of, sealed.key)
    except (msgspec.MsgspecError, UnicodeDecodeError, UndecodableEvent):
        return


def opened(data: bytes, marks: Marks, place: Place, keys: Mapping[KeyId, bytes | None]) -> bytes:
    """The event's JSON in clear; what is encrypted with a key that was destroyed (None) is redacted.

    Raises UndecodableEvent, which repeats nothing of what is in the event, and KeyError for a key that is not given.
    """
    try:
        fields = _json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UndecodableEvent(f"{place.type}: {error}") from error
    for name, mark in _present(fields, marks).items():
        sealed = _sealed(fields, name)
        if sealed.of != _subject(fields, mark):
            raise UndecodableEvent(f"{name} is encrypted for another person than {mark.by} says")
        secret = None if sealed.sealed is None else keys[KeyId(sealed.of, sealed.key)]
        if secret is None or sealed.sealed is None:
            fields[name] = mark.redacted
        else:
            fields[name] = _opened(sealed.sealed, secret, _bound_to(place, name, KeyId(sealed.of, sealed.key)), name)
    return _encode(fields)


def _opened(text: str, secret: bytes, bound_to: bytes, name: str) -> Any:
    try:
        sealed = base64.b64decode(text, validate=True)
        if base64.b64encode(sealed).decode() != text:
            raise ValueError("there is another way to write this")
        return msgspec.json.decode(AESGCM(secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to))
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise UndecodableEvent(f"{name} was not encrypted for this place with this key, or was changed") from error


def _present(fields: dict[str, Any], marks: Marks) -> Marks:
    return {name: mark for name, mark in marks.items() if fields.get(name) is not None}


def _subject(fields: dict[str, Any], mark: Personal) -> str:
    person = fields.get(mark.by)
    if not isinstance(person, str) or not person:
        raise UndecodableEvent(f"{mark.by} does not say whose personal field it is")
    return f"{mark.subject}/{person}"


def _sealed(fields: dict[str, Any], name: str) -> _Sealed:
    value = fields[name]
    try:
        if isinstance(value, dict) and value.keys() == {TAG}:
            return msgspec.convert(value[TAG], _Sealed)
    except msgspec.ValidationError:
        pass
    raise UndecodableEvent(f"{name} is personal, but not encrypted")


def _bound_to(place: Place, name: str, key: KeyId) -> bytes:
    parts = ("eventfold personal 1", place.stream, place.event_id, place.type, name, key.subject, key.generation)
    return _encode(parts)
