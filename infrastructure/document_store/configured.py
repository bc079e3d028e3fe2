"""The document store that the settings name."""

from pathlib import Path

from infrastructure.document_store.encrypted_documents import EncryptedDocuments
from infrastructure.document_store.file_blobs import FileBlobs
from infrastructure.document_store.port import BlobStore, DocumentStoreUnavailable
from infrastructure.personal_data import PersonalKeys, personal_keys
from infrastructure.resilience import Policy
from infrastructure.settings import InvalidSettings, Settings

_FILE, _S3 = "file:", "s3:"


def document_store(settings: Settings, keys: PersonalKeys | None = None) -> EncryptedDocuments | None:
    """None where none is set: then no documents are made, and none are served. Without `keys` it has its own, as the
    settings say. Raises InvalidSettings."""
    where = settings.documents.store
    if not where:
        return None
    return EncryptedDocuments(_blobs(where, settings), personal_keys(settings) if keys is None else keys)


def _blobs(where: str, settings: Settings) -> BlobStore:
    if where.startswith(_FILE):
        return FileBlobs(Path(where.removeprefix(_FILE).removeprefix("//")))
    if where.startswith(_S3):
        return _bucket(where.removeprefix(_S3).removeprefix("//"), settings)
    raise InvalidSettings("EVENTFOLD_DOCUMENT_STORE begins with file: or s3:")


def _bucket(place: str, settings: Settings) -> BlobStore:
    # Here, because a service whose documents are in files needs nothing of it.
    from infrastructure.document_store.s3_blobs import Bucket, S3Blobs

    chosen = settings.document_bucket
    name, _, prefix = place.partition("/")
    if not name:
        raise InvalidSettings("EVENTFOLD_DOCUMENT_STORE names no bucket: s3:BUCKET/PREFIX")
    if bool(chosen.access_key_id) != bool(chosen.secret_access_key):
        raise InvalidSettings("EVENTFOLD_S3_ACCESS_KEY_ID and EVENTFOLD_S3_SECRET_ACCESS_KEY go together")
    bucket = Bucket(
        name, prefix.strip("/"), chosen.endpoint, chosen.region, chosen.access_key_id, chosen.secret_access_key
    )
    try:
        return S3Blobs(bucket, Policy("documents", chosen.limits))
    except DocumentStoreUnavailable as error:
        raise InvalidSettings(f"EVENTFOLD_DOCUMENT_STORE: {error}") from error
