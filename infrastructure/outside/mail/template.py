"""Texts of mails: paragraphs with placeholders, of which the plain text and the HTML are both made."""

import html
import re
from collections.abc import Mapping
from string import Template
from types import MappingProxyType

from msgspec import Struct

from infrastructure.outside.mail.port import MAX_SUBJECT

_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_NO_LINKS: Mapping[str, str] = MappingProxyType({})
_PAGE = Template(
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>$subject</title></head>\n'
    '<body style="font-family: sans-serif; line-height: 1.5">\n$paragraphs\n</body></html>\n'
)


class RenderedText(Struct, frozen=True):
    """What a mail says: as plain text and as HTML."""

    subject: str
    text: str
    html: str


class MailTemplate(Struct, frozen=True):
    """A text with placeholders as in string.Template: `$name`.

    Values are data: in a subject they end no line, in HTML they are no markup. Raises ValueError for a text with a
    placeholder that is none.
    """

    name: str
    subject: str
    paragraphs: tuple[str, ...]

    def __post_init__(self) -> None:
        for part in (self.subject, *self.paragraphs):
            if not Template(part).is_valid():
                raise ValueError(f"template {self.name}: a placeholder is malformed in {part!r}")

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of all the values that it takes."""
        parts = (self.subject, *self.paragraphs)
        return frozenset(name for part in parts for name in Template(part).get_identifiers())

    def render(self, values: Mapping[str, str], links: Mapping[str, str] = _NO_LINKS) -> RenderedText:
        """The text with these values. `links` are further values, which are addresses of ours: in HTML one can follow
        them. Raises KeyError, naming the placeholder, where a value is missing."""
        values = {**values, **links}
        shown = {name: _UNSHOWN.sub(" ", value) for name, value in values.items()}
        subject = Template(self.subject).substitute(shown)
        if len(subject) > MAX_SUBJECT:
            subject = subject[: MAX_SUBJECT - 1] + "…"
        paragraphs = [Template(one).substitute(shown) for one in self.paragraphs]
        escaped = {name: html.escape(value) for name, value in shown.items()}
        escaped |= {name: f'<a href="{escaped[name]}">{escaped[name]}</a>' for name in links}
        marked_up = [Template(html.escape(one)).substitute(escaped) for one in self.paragraphs]
        body = "\n".join(f"<p>{one}</p>" for one in marked_up)
        page = _PAGE.substitute(subject=html.escape(subject), paragraphs=body)
        return RenderedText(subject, "\n\n".join(paragraphs) + "\n", page)
