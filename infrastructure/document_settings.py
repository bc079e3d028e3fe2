"""The settings of documents: where they are kept, and what makes them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field


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
    signing_key_file: Annotated[
        str, Meta(description="PEM file with the key that signed contracts are sealed with; without, none is sealed")
    ] = field(default="", name="document_signing_key_file")
    signing_certificate_file: Annotated[
        str, Meta(description="PEM file with that key's certificate, then those that lead up to its authority")
    ] = field(default="", name="document_signing_certificate_file")
    timestamp_url: Annotated[str, Meta(description="authority that says when a contract was sealed (RFC 3161)")] = (
        field(default="", name="document_timestamp_url")
    )
