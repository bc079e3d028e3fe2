"""Whether the signatures upon a PDF hold, by pyHanko's own validator."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from infrastructure.outside.signing.facts import time_stamp_of


class SignatureVerdict(Struct, frozen=True):
    """What is found of one signature. `holds`: it is of these bytes, all but what was added to verify it later, and was
    made under a certificate that leads to a trusted authority. `timestamped`: a trusted authority says when. `lasting`:
    that it holds is known by what stands in the document, as its certificate has expired since. `certificate_sha256` is
    of the signer's certificate, empty where there is none."""

    signer: str
    holds: bool
    timestamped: bool
    detail: str
    lasting: bool = False
    certificate_sha256: str = ""


async def verify_signatures(
    document: bytes, authorities: Path, moment: datetime | None = None
) -> list[SignatureVerdict]:
    """Of every signature, in the order in which they were made; `authorities` is a PEM file with the trusted
    certificates. `moment` is when somebody wants to know, without it now. Asks nobody.

    Raises ValueError for what is no PDF, and for a file without certificates.
    """
    from pyhanko.keys import load_certs_from_pemder
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader

    try:
        roots = list(load_certs_from_pemder([str(authorities)]))
        reader = PdfFileReader(BytesIO(document))
        signatures = reader.embedded_regular_signatures
    except (OSError, PdfError) as error:
        raise ValueError(f"the document or {authorities} can't be read: {error}") from error
    verdicts = []
    for signature in signatures:
        verdict = await _now(signature, roots, moment)
        if not verdict.holds and "/DSS" in reader.root:
            at = moment or datetime.now(UTC)
            lasting = await _by_what_was_added(signature, roots, at, verdict)
            if not lasting.holds and verdict.timestamped:
                lasting = await _at_its_time(signature, roots, at, verdict)
            verdict = lasting
        verdicts.append(replace(verdict, certificate_sha256=_digest_of(signature.signer_cert)))
    return verdicts


def _digest_of(certificate: Any) -> str:
    return "" if certificate is None else hashlib.sha256(certificate.dump()).hexdigest()


async def _now(signature: Any, roots: Sequence[Any], moment: datetime | None) -> SignatureVerdict:
    """By the certificates as they are at the moment."""
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.sign.validation import async_validate_pdf_signature
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko_certvalidator import ValidationContext

    name = str(signature.signer_cert.subject.human_friendly) if signature.signer_cert is not None else "nobody"
    try:
        context = ValidationContext(trust_roots=list(roots), moment=moment)
        status = await async_validate_pdf_signature(signature, context)
    except (SignatureValidationError, PdfError, ValueError) as error:
        return SignatureVerdict(name, False, False, str(error))
    time = status.timestamp_validity
    timestamped = time is not None and time.intact and time.valid and time.trusted
    return SignatureVerdict(name, bool(status.bottom_line and _is_whole(status)), bool(timestamped), status.summary())


async def _by_what_was_added(
    signature: Any, roots: Sequence[Any], moment: datetime, found: SignatureVerdict
) -> SignatureVerdict:
    """By the times, certificates and lists of what was revoked that stand in the document (PAdES B-LT, B-LTA)."""
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.sign.ades.report import AdESStatus
    from pyhanko.sign.validation.ades import ades_lta_validation
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko_certvalidator.ltv.types import ValidationTimingInfo

    timing = ValidationTimingInfo(moment, moment, point_in_time_validation=True)
    try:
        result = await ades_lta_validation(signature, _policy(roots), timing_info=timing)
    except (SignatureValidationError, PdfError, ValueError) as error:
        return SignatureVerdict(found.signer, False, found.timestamped, str(error))
    status = result.api_status
    passed = result.ades_subindic.status is AdESStatus.PASSED and status is not None and _is_whole(status)
    stamp = result.signature_timestamp_status
    timestamped = stamp is not None and stamp.ades_subindic.status is AdESStatus.PASSED
    detail = str(result.failure_msg or result.ades_subindic)
    return SignatureVerdict(found.signer, passed, passed and timestamped, detail, passed)


async def _at_its_time(
    signature: Any, roots: Sequence[Any], moment: datetime, found: SignatureVerdict
) -> SignatureVerdict:
    """Whether the certificate was valid, and not revoked, when a trusted authority says that the signature was made: by
    the lists that stand in the document (PAdES B-LT). That authority itself is judged as of `moment`."""
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.sign.validation import async_validate_pdf_signature
    from pyhanko.sign.validation.dss import DocumentSecurityStore
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko_certvalidator import ValidationContext

    try:
        stamped_at = time_stamp_of(signature)["gen_time"].native
        context = DocumentSecurityStore.read_dss(signature.reader).as_validation_context(
            {
                "trust_roots": list(roots),
                "moment": stamped_at,
                "allow_fetching": False,
                "revocation_mode": "require",
                "retroactive_revinfo": True,
            }
        )
        authority = ValidationContext(trust_roots=list(roots), moment=moment)
        status = await async_validate_pdf_signature(signature, context, ts_validation_context=authority)
    except (SignatureValidationError, PdfError, ValueError) as error:
        return SignatureVerdict(found.signer, False, found.timestamped, str(error))
    holds = bool(status.bottom_line and _is_whole(status))
    return SignatureVerdict(found.signer, holds, found.timestamped, status.summary(), holds)


def _policy(roots: Sequence[Any]) -> Any:
    from pyhanko.sign.validation.policy_decl import (
        PdfSignatureValidationSpec,
        RevinfoOnlineFetchingRule,
        RevocationInfoGatheringSpec,
        SignatureValidationSpec,
    )
    from pyhanko_certvalidator.context import CertValidationPolicySpec
    from pyhanko_certvalidator.policy_decl import CertRevTrustPolicy, RevocationCheckingPolicy
    from pyhanko_certvalidator.registry import SimpleTrustManager

    certificates = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=list(roots)),
        revinfo_policy=CertRevTrustPolicy(RevocationCheckingPolicy.from_legacy("require")),
    )
    gathering = RevocationInfoGatheringSpec(online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY)
    return PdfSignatureValidationSpec(SignatureValidationSpec(certificates, gathering))


def _is_whole(status: Any) -> bool:
    """Whether the signature is of the whole document, but for what was added to verify it later."""
    from pyhanko.sign.diff_analysis import ModificationLevel
    from pyhanko.sign.validation.status import SignatureCoverageLevel

    if status.coverage is SignatureCoverageLevel.ENTIRE_FILE:
        return True
    added = status.modification_level is ModificationLevel.LTA_UPDATES
    return bool(added and status.coverage is SignatureCoverageLevel.ENTIRE_REVISION)
