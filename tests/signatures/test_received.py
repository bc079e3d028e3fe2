"""Which signed document is taken: ours to the byte, with a signature that holds, and nothing else behind it."""

import hashlib
from pathlib import Path

import pytest

pytest.importorskip("pyhanko", reason="needs the extra: pip install 'eventfold[documents]'")
pytest.importorskip("typst", reason="needs the extra: pip install 'eventfold[documents]'")

from embedded.signature_provider.authority import Authority
from embedded.signature_provider.documents import altered, signed_document
from infrastructure.outside.signatures.additions import Rewritten, check_additions
from infrastructure.outside.signatures.received import DocumentRefused, check_received
from tests.signatures.documents import pdf


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_the_right_one_is_taken(tmp_path: Path):
    signed = await signed_document(pdf(), "Ada Lovelace", Authority(tmp_path), "right")
    received = await check_received(pdf(), signed, digest(signed), tmp_path / "ca.pem")
    assert (received.signed, received.signed_sha256, len(received.certificate_sha256)) == (signed, digest(signed), 64)


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("another", "our document does not stand in the signed one"),
        ("rewritten", "our document was changed before it was signed: page object"),
        ("unsigned", "the document has no signature"),
        ("untrusted", "does not hold"),
        ("no-pdf", "our document does not stand in the signed one"),
    ],
)
async def test_any_other_is_refused(tmp_path: Path, which: str, why: str):
    signed = await signed_document(pdf(), "Ada Lovelace", Authority(tmp_path), which)  # type: ignore[arg-type]
    with pytest.raises(DocumentRefused, match=why):
        await check_received(pdf(), signed, digest(signed), tmp_path / "ca.pem")


async def test_one_that_was_altered_on_its_way_is_refused(tmp_path: Path):
    signed = await signed_document(pdf(), "Ada Lovelace", Authority(tmp_path), "right")
    with pytest.raises(DocumentRefused, match="has the SHA-256"):
        await check_received(pdf(), altered(signed), digest(signed), tmp_path / "ca.pem")
    # What stands between the two ranges is the signature itself, with room to spare behind it.
    _, until, after, _ = map(int, signed[signed.rindex(b"/ByteRange [") + 12 :].split(b"]")[0].split())
    for place in (*range(len(pdf()), until, 97), *range(after, len(signed), 41)):
        changed = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
        with pytest.raises(DocumentRefused):
            await check_received(pdf(), changed, digest(changed), tmp_path / "ca.pem")


async def test_two_signatures_must_cover_all_of_it(tmp_path: Path):
    authority = Authority(tmp_path)
    signed = await signed_document(pdf(), "Ada Lovelace", authority, "right")
    behind = await signed_document(signed + b"% more\n", "Ada Lovelace", Authority(None), "unsigned")
    with pytest.raises(DocumentRefused, match="does not hold"):
        await check_received(pdf(), behind, digest(behind), tmp_path / "ca.pem")


async def test_that_the_authorities_can_not_be_read_is_no_fault_of_the_document(tmp_path: Path):
    signed = await signed_document(pdf(), "Ada Lovelace", Authority(tmp_path), "right")
    with pytest.raises(ValueError, match="can't be read"):
        await check_received(pdf(), signed, digest(signed), tmp_path / "none.pem")


async def test_something_laid_upon_a_page_is_refused(tmp_path: Path):
    from io import BytesIO

    from pyhanko.pdf_utils.generic import DictionaryObject, StreamObject, pdf_name
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    def added(change: str) -> bytes:
        writer = IncrementalPdfFileWriter(BytesIO(pdf()))
        if change == "note":
            kinds = {"/Type": "/Annot", "/Subtype": "/FreeText"}
            note = DictionaryObject({pdf_name(key): pdf_name(value) for key, value in kinds.items()})
            writer.register_annotation(writer.find_page_for_modification(0)[0], writer.add_object(note))
        elif change == "stream":
            writer.add_stream_to_page(0, writer.add_object(StreamObject(stream_data=b"0 0 100 100 re f")))
        made = BytesIO()
        writer.write(made)
        return made.getvalue()

    for change, why in (("note", "no field for a signature"), ("stream", "page object")):
        signed = await Authority(tmp_path).sign(added(change), "Ada Lovelace")
        with pytest.raises(Rewritten, match=why):
            check_additions(pdf(), signed)
