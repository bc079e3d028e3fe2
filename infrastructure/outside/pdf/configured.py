"""The renderer that the settings name."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from infrastructure.outside.pdf.port import Renderer
from infrastructure.settings import Settings


def renderer(settings: Settings) -> Callable[[], Renderer]:
    """What gives the renderer, made at the first call: a process that makes no documents needs none of it. The call
    raises RenderFailed where typst is missing."""
    fonts = Path(settings.documents.fonts) if settings.documents.fonts else None

    @cache
    def made() -> Renderer:
        from infrastructure.outside.pdf.typst_renderer import TypstRenderer

        return TypstRenderer(fonts)

    return made
