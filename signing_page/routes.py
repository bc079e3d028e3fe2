"""The routes: the page of a contract, its document, and the customer's answer. Each takes a link that holds."""

import logging
import time
from typing import Any

import structlog
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import Counter

from domain.model.access import PUBLIC
from infrastructure.http.openapi import documented
from infrastructure.http.problems import Problem
from infrastructure.resilience import DependencyUnavailable
from infrastructure.security.link_keys import LinkKeys, UnusableLinkKeys
from infrastructure.security.signing_links import LinkRefused, SigningLink, read_token
from infrastructure.telemetry.spans import note
from signing_page import refusals
from signing_page.contracts import Contracts
from signing_page.form import Declining, FormFaults, Signing, UnreadableForm, declining, read_form, signing
from signing_page.operations import FORM, FORM_BODY, PROBLEMS, TOKEN, page
from signing_page.origin import address, user_agent
from signing_page.pages import DOCUMENT_POLICY, MEDIA_TYPE, POLICY, contract_page, done_page
from signing_page.problem_pages import wants_html

log = structlog.get_logger(__name__)

PAGE = "/sign"
DOCUMENT = "/sign/document"
MAX_BODY_BYTES = 16_384
# Links that were good once, and mails that come before the views do.
_EXPECTED = frozenset({410, 404, 503})

_OUTCOMES = ("shown", "read", "signed", "declined", "faulty", "refused", "unavailable")
_ASKED = Counter(
    "eventfold_signing_page",
    "Requests to the signing page by what became of them: shown (the page), read (the document), signed, declined, "
    "faulty (the form was not complete), refused (the link does not hold, or is over), unavailable",
    ["outcome"],
)
for _outcome in _OUTCOMES:
    _ASKED.labels(_outcome)


def signing_routes(keys: LinkKeys, contracts: Contracts) -> list[Any]:
    """GET and POST /sign, GET /sign/document. Open to all: whoever asks proves by the link that he may."""

    @get(
        PAGE,
        operation_id="ShowContract",
        summary="Show a contract to who holds its link",
        tags=["signing"],
        media_type=MEDIA_TYPE,
        **documented(PROBLEMS, responses={200: page("The page")}, parameters=[TOKEN], access=PUBLIC),
    )
    async def show(request: Request[Any, Any, Any]) -> Response[bytes]:
        token = request.query_params.get("token", "")
        link = _read(keys, token)
        await _require_open(contracts, link)
        _ASKED.labels("shown").inc()
        return _html(contract_page(link, token))

    @get(
        DOCUMENT,
        operation_id="ReadContract",
        summary="The document that the link speaks of",
        tags=["signing"],
        media_type="application/pdf",
        **documented(
            PROBLEMS,
            responses={
                200: ResponseSpec(bytes, description="The PDF", media_type="application/pdf", generate_examples=False)
            },
            parameters=[TOKEN],
            access=PUBLIC,
        ),
    )
    async def read(request: Request[Any, Any, Any]) -> Response[bytes]:
        link = _read(keys, request.query_params.get("token", ""))
        await _require_open(contracts, link)
        try:
            document = await contracts.document(link)
        except DependencyUnavailable as error:
            raise _unavailable(error, link) from error
        if document is None:
            raise _refused(refusals.another_document(), link)
        _ASKED.labels("read").inc()
        name = link.contract_id.replace(":", "-")
        headers = {
            "Content-Disposition": f'inline; filename="contract-{name}.pdf"',
            "Content-Security-Policy": DOCUMENT_POLICY,
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return Response(document, media_type="application/pdf", headers=headers)

    @post(
        PAGE,
        operation_id="AnswerContract",
        summary="Sign the contract, or decline",
        description="What a second click sends again changes nothing.",
        tags=["signing"],
        status_code=200,
        request_max_body_size=MAX_BODY_BYTES,
        **documented(
            {**PROBLEMS, 413: "The body is too large", 415: "It is no form", 422: "The form is not complete"},
            responses={200: page("What was recorded")},
            body=FORM_BODY,
            access=PUBLIC,
        ),
    )
    async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        fields = await _form(request)
        token = fields.get("token", "")
        link = _read(keys, token)
        try:
            done = _filled_in(fields, request)
        except FormFaults as faults:
            _ASKED.labels("faulty").inc()
            if not wants_html(request.scope):
                raise refusals.of_form(faults) from None
            return _html(contract_page(link, token, faults=faults.faults, fields=fields), status=422)
        await _record(contracts, link, done)
        return _html(done_page(link, done))

    return [show, read, answer]


def _read(keys: LinkKeys, token: str) -> SigningLink:
    """What the link is for. Raises Problem."""
    if not token:
        raise _refused(refusals.no_link(), None)
    try:
        return read_token(keys, token, time.time())
    except LinkRefused as refused:
        raise _refused(refusals.of_link(refused), None, reason=refused.reason) from None
    except UnusableLinkKeys as error:
        raise _unavailable(error, None) from None


async def _require_open(contracts: Contracts, link: SigningLink) -> None:
    """Raises Problem where there is nothing to sign, or not any more."""
    try:
        problem = refusals.of_contract(await contracts.find(link), link)
    except DependencyUnavailable as error:
        raise _unavailable(error, link) from error
    if problem is not None:
        raise _refused(problem, link)


async def _form(request: Request[Any, Any, Any]) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Problem(415, "media-type", "The media type is not taken", f"a form is {FORM}")
    try:
        return read_form(await request.body())
    except UnreadableForm as error:
        raise Problem(400, "malformed-request", "The form can't be read", str(error)) from None


def _filled_in(fields: Any, request: Request[Any, Any, Any]) -> Signing | Declining:
    match fields.get("action"):
        case "sign":
            return signing(fields, address(request), user_agent(request))
        case "decline":
            return declining(fields)
    raise Problem(400, "malformed-request", "The form can't be read", "its action is neither sign nor decline")


async def _record(contracts: Contracts, link: SigningLink, done: Signing | Declining) -> None:
    """Raises Problem unless it is recorded."""
    try:
        found = await (contracts.sign(link, done) if isinstance(done, Signing) else contracts.decline(link, done))
    except DependencyUnavailable as error:
        raise _unavailable(error, link, sent=True) from error
    if not found.accepted:
        raise _refused(refusals.of_answer(found), link, reason=found.code)
    outcome = "signed" if isinstance(done, Signing) else "declined"
    _ASKED.labels(outcome).inc()
    note({"eventfold.contract": link.contract_id, "eventfold.signing.outcome": outcome})
    log.info("a contract was answered by its link", order_id=link.contract_id, outcome=outcome)


def _refused(problem: Problem, link: SigningLink | None, *, reason: str = "") -> Problem:
    """Says why in the log; what the customer is told is the problem itself."""
    _ASKED.labels("refused").inc()
    log.log(
        logging.INFO if problem.details.status in _EXPECTED else logging.WARNING,
        "a signing link was refused",
        order_id=None if link is None else link.contract_id,
        reason=reason or problem.details.code or problem.details.type.rpartition(":")[2],
        status=problem.details.status,
    )
    return problem


def _unavailable(error: Exception, link: SigningLink | None, *, sent: bool = False) -> Problem:
    _ASKED.labels("unavailable").inc()
    order_id = None if link is None else link.contract_id
    log.warning("the signing page can't do its work", order_id=order_id, error=str(error))
    return refusals.unavailable(sent=sent)


def _html(content: bytes, *, status: int = 200) -> Response[bytes]:
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers={"Content-Security-Policy": POLICY})
