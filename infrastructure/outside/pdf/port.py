"""What makes documents: the port that an adapter implements, and what a template is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct


class RenderFailed(Exception):
    """The document can't be made of these values, now or later; the message says which value is wrong, or which line of
    the template."""


class DocumentTemplate(Struct, frozen=True):
    """A template as it was published: its text is never changed, a new wording is a new version.

    `name` and `version` stand in the events of the documents that it made.
    """

    name: str
    version: int
    source: str


class Renderer(Protocol):
    """Makes PDF documents."""

    @property
    def name(self) -> str:
        """The program that makes them with its version, such as "typst 0.15.2": with another one, the bytes may
        differ."""

    async def render(self, template: DocumentTemplate, values: Mapping[str, Any], at: datetime) -> bytes:
        """The document: the same values and time of the same template give the same bytes.

        `values` are what JSON can say. `at` is the time that the document itself says it was made at.

        Raises RenderFailed.
        """
