"""By what pyHanko finds out whether certificates were valid: trusted authorities, and what they have revoked."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infrastructure.outside.signing.port import SealFailed


def embedding_context(chain: Sequence[Any], authorities: Path | None, revocations: Path | None) -> Callable[[], Any]:
    """What gives the ValidationContext by which a signature gets all that is needed to verify it later: the last
    certificate of the chain is trusted, and those in the PEM file `authorities`. Lists of what was revoked come from
    the PEM file `revocations`, which is read each time, because lists are renewed; without it, from where the
    certificates say.

    Raises SealFailed where a file can't be read, now or then.
    """
    from pyhanko.keys import load_certs_from_pemder
    from pyhanko_certvalidator import ValidationContext

    try:
        others = [] if authorities is None else list(load_certs_from_pemder([str(authorities)]))
    except (OSError, ValueError) as error:
        raise SealFailed(f"the certificates {authorities} can't be read: {error}") from error
    _lists(revocations)

    def made() -> Any:
        return ValidationContext(
            trust_roots=[chain[-1], *others],
            other_certs=list(chain),
            crls=_lists(revocations),
            allow_fetching=revocations is None,
            revocation_mode="require",
        )

    return made


def _lists(file: Path | None) -> list[bytes]:
    from asn1crypto import pem

    if file is None:
        return []
    try:
        content = file.read_bytes()
        return [der for _, _, der in pem.unarmor(content, multiple=True)]
    except (OSError, ValueError) as error:
        raise SealFailed(f"the lists of what was revoked, {file}, can't be read: {error}") from error
