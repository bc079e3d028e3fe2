"""The status in a terminal that is too short for it: what needs somebody first, and how much is left out."""

from collections.abc import Sequence

from rich.console import Console, RenderableType, RenderResult
from rich.console import Group as Stacked
from rich.segment import Segment, Segments
from rich.text import Text

_URGENT = ("red", "yellow")


def fitted(console: Console, heading: RenderableType, parts: Sequence[RenderableType]) -> RenderableType:
    """All of it where there is room. Else what is wrong comes before the tables, without empty lines, and the last line
    says how many rows are not shown."""
    whole = Stacked(heading, *parts)
    if len(_lines(console, whole)) <= console.height:
        return whole
    urgent = [one for style in _URGENT for one in parts if isinstance(one, Text) and one.style == style]
    others = [one for one in parts if one not in urgent and one != ""]
    lines = [line for part in (heading, *urgent, *others) for line in _lines(console, part)]
    room = max(1, console.height - 1)
    left_out = len(lines) - room
    if left_out <= 0:  # the empty lines were too much
        return _Lines(lines)
    rows = "1 row is" if left_out == 1 else f"{left_out} rows are"
    note = Text(f"{rows} not shown here; eventfold status shows all", style="dim", no_wrap=True, overflow="ellipsis")
    return Stacked(_Lines(lines[:room]), note)


def _lines(console: Console, part: RenderableType) -> list[list[Segment]]:
    return console.render_lines(part, pad=False)


class _Lines:
    def __init__(self, lines: Sequence[list[Segment]]) -> None:
        self._lines = lines

    def __rich_console__(self, _console: Console, _options: object) -> RenderResult:
        for number, line in enumerate(self._lines):
            yield Segments(line if number == len(self._lines) - 1 else [*line, Segment.line()])
        yield Segment.line()
