"""Time stamps of an authority over HTTP (RFC 3161), under a policy: what it answers wrongly is as if it were away."""

import aiohttp
from asn1crypto import tsp
from pyhanko.sign.timestamps import TimeStamper

from infrastructure.resilience import Policy, TransientFault

_REQUEST, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_MAX_BYTES = 1 << 20


class HttpTimeStamps(TimeStamper):
    """A pyHanko TimeStamper. Raises DependencyUnavailable where the authority can't be used; pyHanko itself refuses an
    answer to another question."""

    def __init__(self, url: str, policy: Policy) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.url = url
        self.policy = policy

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        """The authority's answer, whole and well-formed."""
        return await self.policy.call(lambda: self._ask(req))

    async def _ask(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        headers = {"Content-Type": _REQUEST, "Accept": _REPLY}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(self.url, data=req.dump(), headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise TransientFault(f"the authority for times answers {answer.status}")
                if answer.content_type != _REPLY:
                    raise TransientFault(f"the authority for times answers {answer.content_type[:80]}, not {_REPLY}")
                body = await answer.content.read(_MAX_BYTES + 1)
                while len(body) <= _MAX_BYTES and (more := await answer.content.read(_MAX_BYTES + 1)):
                    body += more
        except (aiohttp.ClientError, OSError) as error:
            raise TransientFault(f"the authority for times: {error or type(error).__name__}") from error
        try:
            response = tsp.TimeStampResp.load(body, strict=True)
            response.native  # noqa: B018 - decodes all of it
        except (ValueError, TypeError, KeyError) as error:
            raise TransientFault("what the authority for times answers is no time stamp") from error
        return response
