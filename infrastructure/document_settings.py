"""The settings of documents: where they are kept, and what makes them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from infrastructure.secrets import Secret, WithSecrets


class DocumentSettings(Struct, frozen=True):
    """Where documents are kept, how they look, and how long they can be signed."""

    store: Annotated[
        str,
        Meta(
            description="where documents are kept, `file:FOLDER` or `s3:BUCKET/PREFIX`; without, no contracts are "
            "drawn up"
        ),
    ] = field(default="", name="document_store")
    key_of: Annotated[
        Literal["customer", "contract"],
        Meta(
            description="whose key encrypts documents: `customer`, so that nobody can read them once the customer is "
            "forgotten; or `contract`, a key of each contract's own, where contracts have to be kept longer"
        ),
    ] = field(default="customer", name="document_key_of")
    fonts: Annotated[str, Meta(description="folder with fonts for scripts that those which come along don't have")] = (
        field(default="", name="document_fonts")
    )
    audit_dir: Annotated[
        str,
        Meta(
            description="folder of the signed tree (`eventfold audit`), from which evidence of orders takes its "
            "proofs; without, it has none"
        ),
    ] = field(default="", name="audit_dir")
    days_to_sign: Annotated[int, Meta(description="for how many days a contract can be signed", ge=1, le=3650)] = field(
        default=14, name="document_days_to_sign"
    )
    link_key_file: Annotated[
        str,
        Meta(description="file with the keys of the links by which customers sign; without, mails have no such link"),
    ] = field(default="", name="document_link_key_file")
    signing_page_url: Annotated[
        str, Meta(description="address of the signing page as customers reach it, for the links in mails")
    ] = field(default="http://127.0.0.1:8027/sign", name="signing_page_url")
    remind_days: Annotated[
        int, Meta(description="how many days before its end a customer is reminded to sign; 0: never", ge=0, le=3650)
    ] = field(default=3, name="document_remind_days")


class SealingSettings(WithSecrets, frozen=True):
    """What signed contracts are sealed with, and how long their seals can be verified."""

    signing_key_file: Annotated[
        str, Meta(description="PEM file with the key that signed contracts are sealed with; without, none is sealed")
    ] = field(default="", name="document_signing_key_file")
    signing_certificate_file: Annotated[
        str, Meta(description="PEM file with that key's certificate, then those that lead up to its authority")
    ] = field(default="", name="document_signing_certificate_file")
    timestamp_url: Annotated[str, Meta(description="authority that says when a contract was sealed (RFC 3161)")] = (
        field(default="", name="document_timestamp_url")
    )
    timestamp_ca_file: Annotated[
        str, Meta(description="PEM file with that authority's certificates; without, it is the signing key's authority")
    ] = field(default="", name="document_timestamp_ca_file")
    signing_level: Annotated[
        Literal["b", "lt", "lta"],
        Meta(
            description="how long seals can be verified: `b` while the certificate is valid, `lt` and `lta` after it "
            "too (PAdES), which needs times"
        ),
    ] = field(default="b", name="document_signing_level")
    revocations_file: Annotated[
        str,
        Meta(
            description="PEM file with lists of what the authorities have revoked, for `lt` and `lta`; without, they "
            "are fetched from where the certificates say"
        ),
    ] = field(default="", name="document_revocations_file")
    pkcs11_module: Annotated[
        str, Meta(description="library of a token (PKCS#11) with the key that seals, in the place of the key's file")
    ] = field(default="", name="document_pkcs11_module")
    pkcs11_token: Annotated[str, Meta(description="label of the token")] = field(
        default="", name="document_pkcs11_token"
    )
    pkcs11_key_label: Annotated[str, Meta(description="label of the key in the token")] = field(
        default="", name="document_pkcs11_key_label"
    )
    pkcs11_pin: Annotated[Secret, Meta(description="PIN of the token; never logged")] = field(
        default="", name="document_pkcs11_pin"
    )
