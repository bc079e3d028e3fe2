"""Digital signatures upon PDF documents: one port, and its adapter over pyHanko."""

from infrastructure.outside.signing.port import Sealed, Sealer, SealFailed

__all__ = ["SealFailed", "Sealed", "Sealer"]
