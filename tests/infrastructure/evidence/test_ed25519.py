"""Signatures checked in Python alone say what the library says."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.evidence.ed25519 import verify


@settings(max_examples=8, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 63), st.integers(0, 7))
def test_a_signature_holds_and_with_any_bit_changed_it_does_not(seed: bytes, message: bytes, at: int, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), key.sign(message)
    assert verify(public, signature, message)
    assert not verify(public, signature, message + b"!")
    altered = bytearray(signature)
    altered[at] ^= 1 << bit
    assert not verify(public, bytes(altered), message)


def test_of_rfc_8032() -> None:
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verify(public, signature, b"\x72")
    order = 2**252 + 27742317777372353535851937790883648493
    more = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not verify(public, more, b"\x72"), "another way to write the same signature is none"
    for broken in (b"", signature[:-1], signature + b"\0"):
        assert not verify(public, broken, b"\x72")
    assert not verify(b"\xff" * 32, signature, b"\x72")
