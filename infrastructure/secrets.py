"""Secret settings: each comes from its variable or from a file, and none of them is shown when settings are printed."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

FILE_SUFFIX = "_FILE"
"""A secret called NAME may be given by a file, which NAME and this names."""

Secret = Annotated[str, Meta(extra={"secret": True})]
"""The type of a setting that is a secret, or may hold one, such as a URI with a password."""

_MAX_BYTES = 65_536
_HIDDEN = "..."


class UnreadableSecret(Exception):
    """A secret can't be had as it is given; the message names the variable, and never what is in the file."""


def is_secret(setting: msgspec.structs.FieldInfo) -> bool:
    """Whether the setting is marked as one."""
    marks = get_args(setting.type)[1:] if get_origin(setting.type) is Annotated else ()
    return any(isinstance(mark, Meta) and (mark.extra or {}).get("secret") for mark in marks)


class WithSecrets(Struct, frozen=True):
    """A group of settings that shows no secret, neither in `repr` nor where rich prints it."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self._shown())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(self._shown())

    def _shown(self) -> Iterator[tuple[str, str]]:
        for setting in msgspec.structs.fields(type(self)):
            value: Any = getattr(self, setting.name)
            hidden = is_secret(setting) and value != setting.default
            yield setting.name, _HIDDEN if hidden else repr(value)


def with_files_read(given: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """The variables with each secret whose file is named read from it, in place of the file's name.

    Raises UnreadableSecret for a file that is missing, empty, too large or no text, and for a secret that is given
    twice.
    """
    read = dict(given)
    for name in secrets:
        path = read.pop(name + FILE_SUFFIX, None)
        if path is None:
            continue
        if name in read:
            raise UnreadableSecret(f"{name} and {name}{FILE_SUFFIX} are both set; one of them is enough")
        read[name] = read_secret(Path(path), name + FILE_SUFFIX)
    return read


def read_secret(path: Path, variable: str) -> str:
    """What the file holds, without the newline at its end. Raises UnreadableSecret, naming the variable."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableSecret(f"{variable}: {path} can't be read ({error.strerror})") from None
    if len(content) > _MAX_BYTES:
        raise UnreadableSecret(f"{variable}: {path} has over {_MAX_BYTES} bytes")
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UnreadableSecret(f"{variable}: {path} is no text in UTF-8") from None
    if not text:
        raise UnreadableSecret(f"{variable}: {path} is empty")
    return text
