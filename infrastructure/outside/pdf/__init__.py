"""Making PDF documents: one port, and its adapter over typst."""

from infrastructure.outside.pdf.port import DocumentTemplate, Renderer, RenderFailed

__all__ = ["DocumentTemplate", "RenderFailed", "Renderer"]
