"""How this provider misbehaves when it is told to, beside what all can do."""

from typing import Literal

from embedded.sandbox.faults import Faults

SignedDocument = Literal["right", "another", "rewritten", "unsigned", "untrusted", "altered", "no-pdf"]


class SignatureFaults(Faults, frozen=True, forbid_unknown_fields=True):
    """- `signed_document`: what is signed or given out in the place of the right one: `another` document; ours
      `rewritten` before it was signed; ours `unsigned`; ours signed under an `untrusted` authority; the right one
      `altered` by a byte on its way; something that is `no-pdf`.
    - `result_of_another`: a request is answered with the SHA-256 of another document.
    """

    signed_document: SignedDocument = "right"
    result_of_another: bool = False
