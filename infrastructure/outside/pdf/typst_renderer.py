"""PDF documents by typst, in this process: PDF/A-2u, so that they can be kept, and every character is text.

What a document looks like depends on nothing but the template, the values, typst's version and the fonts: fonts of the
machine are not used. Those that come with typst know Latin, Greek, Cyrillic, Hebrew, Arabic and Devanagari; others come
from the folder `fonts`. A character that no font has is refused: a name with boxes in it stands in no contract.
"""

import asyncio
import json
import re
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infrastructure.outside.pdf.port import DocumentTemplate, RenderFailed

_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# Arabic and Indic scripts are written with these; that they are none of the others is what makes them harmless.
_JOINERS = "\u200c\u200d"
_MISSING_KEY = re.compile(r'dictionary does not contain key "([^"]*)"')
_NO_GLYPH = re.compile(r"the text `\"?(.*?)\"?` could not be displayed")


class TypstRenderer:
    """Over typst, which must be installed (the extra `documents`); one document at a time, in a thread of its own.

    Raises RenderFailed where typst is missing, and where there is no folder `fonts`.
    """

    def __init__(self, fonts: Path | None = None) -> None:
        try:
            import typst
        except ImportError:
            raise RenderFailed("typst is not installed here: pip install 'eventfold[documents]'") from None
        if fonts is not None and not fonts.is_dir():
            raise RenderFailed(f"there is no folder {fonts} with fonts")
        self._typst = typst
        folders: list[Any] = [] if fonts is None else [fonts]
        self._fonts = typst.Fonts(include_system_fonts=False, font_paths=folders)
        self._one_at_a_time = threading.Lock()

    @cached_property
    def name(self) -> str:
        """With the version."""
        return f"typst {version('typst')}"

    async def render(self, template: DocumentTemplate, values: Mapping[str, Any], at: datetime) -> bytes:
        """As Renderer says. The template finds the values as JSON in `sys.inputs.values`, and the families of the
        fonts there are, in alphabetical order, in `sys.inputs.fonts`."""
        refused = [where for where, text in _texts(values, "") if _is_hidden(text)]
        if refused:
            raise RenderFailed(
                f"{template.name}, version {template.version}: {', '.join(refused[:5])} has characters that don't show"
            )
        return await asyncio.to_thread(self._compile, template, values, at)

    def _compile(self, template: DocumentTemplate, values: Mapping[str, Any], at: datetime) -> bytes:
        inputs = {"values": json.dumps(values, sort_keys=True), "fonts": json.dumps(sorted(self._fonts.families()))}
        with self._one_at_a_time:
            compiler = self._typst.Compiler(font_paths=self._fonts, ignore_system_fonts=True)
            try:
                made = compiler.compile(
                    input=template.source.encode(),
                    format="pdf",
                    sys_inputs=inputs,
                    pdf_standards=["a-2u"],
                    timestamp=int(at.timestamp()),
                )
            except self._typst.TypstError as error:
                raise RenderFailed(f"{template.name}, version {template.version}: {_reason(error.message)}") from None
        if not isinstance(made, bytes):
            raise RenderFailed(f"{template.name}, version {template.version}: typst gave no document")
        return made


def _reason(message: str) -> str:
    if (missing := _MISSING_KEY.search(message)) is not None:
        return f"the value {missing[1]} is missing"
    if (unknown := _NO_GLYPH.search(message)) is not None:
        names = ", ".join(f"U+{ord(one):04X} {unicodedata.name(one, '')}".strip() for one in unknown[1][:3])
        return f"no font has {names}: EVENTFOLD_DOCUMENT_FONTS names a folder with more fonts"
    return message


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where or "/", value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(one, f"{where}/{name}")
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _texts(one, f"{where}/{number}")


def _is_hidden(text: str) -> bool:
    return any(unicodedata.category(one) in _HIDDEN and one not in _JOINERS for one in text)
