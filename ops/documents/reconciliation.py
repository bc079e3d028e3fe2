"""Reads both sides, compares them, and mends what can be mended."""

import asyncio
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from application.contracts.provider_records import ProviderRecords, Taken
from domain.documents.aggregate import CONTRACT
from domain.documents.events import ContractSigned
from domain.documents.signature_results.aggregate import SIGNATURE_RESULTS
from domain.documents.signature_results.results import SignatureResults, Status
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from infrastructure.outside.signatures import RefusedBySignatureProvider, Signature, SignatureProvider
from infrastructure.outside.signatures.received import DocumentRefused
from ops.documents.comparison import Difference, OurContract, compare
from ops.errors import CommandFailed

_PAGE = 500


class Reconciled(Struct, frozen=True):
    """What was found. `mismatched` and `waiting` count what the provider told by webhook and a contract contradicts, or
    that has found no contract."""

    contracts: int
    requests: int
    mismatched: int
    waiting: int
    differences: list[Difference]


class Reconciliation:
    """Contracts are folded from the log itself, so that no view that is behind can be at fault."""

    def __init__(self, log: EventStore, provider: SignatureProvider, *, wait: float) -> None:
        self._log = log
        self._provider = provider
        self._wait = wait
        self._codec = EventCodec((CONTRACT, SIGNATURE_RESULTS))

    async def run(self) -> Reconciled:
        """What differs, and still did `wait` seconds later: what was under way at one look is none."""
        first = await self._look()
        if not first.differences or not self._wait:
            return first
        await asyncio.sleep(self._wait)
        again = await self._look()
        before = {one.identity for one in first.differences}
        return replace(again, differences=[one for one in again.differences if one.identity in before])

    async def _look(self) -> Reconciled:
        signatures = await self._signatures()
        contracts, told = await self._streams()
        statuses = [result.status for one in told.values() for result in one.results.values()]
        return Reconciled(
            contracts=sum(1 for one in contracts.values() if one.contract.provider),
            requests=len(signatures),
            mismatched=statuses.count(Status.MISMATCHED),
            waiting=statuses.count(Status.WITHOUT_CONTRACT),
            differences=compare(contracts, signatures),
        )

    async def _signatures(self) -> list[Signature]:
        """Each once, as it was last listed: a request that changes meanwhile is listed again."""
        found: dict[str, Signature] = {}
        cursor, more = None, True
        while more:
            page = await self._provider.list_since(cursor, _PAGE)
            found |= {one.request_id: one for one in page.signatures}
            cursor, more = page.cursor, page.more
        return list(found.values())

    async def _streams(self) -> tuple[dict[str, OurContract], dict[str, SignatureResults]]:
        contracts: dict[str, OurContract] = {}
        told: dict[str, SignatureResults] = {}
        async for stored in self._log.read_all():
            category, _, name = stored.stream.partition("-")
            if stored.is_of_the_store or category not in (CONTRACT.category, SIGNATURE_RESULTS.category):
                continue
            # Names are of no use here, so no keys are needed: what is personal is read as if it were erased.
            event = self._codec.decode(stored, dict.fromkeys(self._codec.keys_of(stored))).event
            try:
                if category == SIGNATURE_RESULTS.category:
                    told[name] = SIGNATURE_RESULTS.evolve(told.get(name), event)
                    continue
                before = contracts.get(name)
                contract = CONTRACT.evolve(None if before is None else before.contract, event)
                signed = None if before is None else before.signed
                contracts[name] = OurContract(contract, event if isinstance(event, ContractSigned) else signed)
            except (ValueError, KeyError) as error:
                raise CommandFailed(f"stream {stored.stream} is not whole: {error}") from error
        return contracts, told


async def mend(
    differences: list[Difference], records: ProviderRecords, provider: SignatureProvider
) -> Mapping[str, str]:
    """Records what the provider has, and cancels there what ended here; answers by reference what could not be done,
    and why."""
    refused = {}
    for one in differences:
        if one.mend is None or one.signature is None:
            continue
        try:
            if one.mend == "cancel":
                await provider.cancel(one.request_id, "it has ended")
                continue
            verdict = await records.take(one.reference, one.signature)
            if verdict.taken is not Taken.MATCHED:
                refused[one.reference] = verdict.detail or str(verdict.taken)
        except (RefusedBySignatureProvider, DocumentRefused) as error:
            refused[one.reference] = str(error)
    return refused
