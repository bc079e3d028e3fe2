"""What a certificate of completion says, and that the same events give the same bytes of it."""

from importlib.util import find_spec
from typing import Any

import pytest

from application.contracts.completion import COMPLETION, completion_values
from application.contracts.history import ContractHistory, Step
from domain.documents.aggregate import CONTRACT
from domain.documents.events import ContractSigned
from infrastructure.event_codec import EventCodec, EventMetadata
from tests.support.contracts import NOTIFIED, RENDERED, REQUESTED, SEALED, SEALED_DIGEST, SIGNED, TO_SIGN
from tests.support.decider import NOON
from tests.support.memory_event_store import MemoryEventStore
from tests.support.memory_keys import memory_keys

EVENTS: list[Any] = [REQUESTED, RENDERED, TO_SIGN, NOTIFIED, SIGNED, SEALED]
STEPS = [Step(event, number, "contract_steps") for number, event in enumerate(EVENTS)]


def step_of(values: Any, what: str) -> Any:
    return next(step for step in values["steps"] if step["what"] == what)


def details_of(values: Any, what: str) -> dict[str, str]:
    return {one["name"]: one["value"] for one in step_of(values, what)["details"]}


def test_each_step_with_its_time_and_who() -> None:
    steps = [*STEPS[:4], Step(SIGNED, 4, "ada", "till"), Step(SEALED, 5)]
    values = completion_values(steps, None)
    assert [step["revision"] for step in values["steps"]] == ["0", "1", "2", "3", "4", "5"]
    assert {step["time"] for step in values["steps"]} == {"2026-03-14 12:00:00 UTC"}
    assert step_of(values, "The customer signed")["who"] == "ada, sent by till"
    assert values["steps"][-1]["who"] == "nobody had to prove who they are"
    assert details_of(values, "The customer signed")["Name as it was typed"] == "Ada Lovelace"
    assert details_of(values, "The document got its digital signature")["SHA-256 with the signature"] == SEALED_DIGEST
    assert details_of(values, "The customer was told")["Message"] == "contract-to-sign, <1@shop>"
    assert (values["customer_name"], values["signatures"]) == ("Ada Lovelace", [])


class SignedByLink(ContractSigned, frozen=True, kw_only=True):
    """As later versions of the event have it."""

    channel: str = "link"
    consent_version: str = "1"
    address: str = "::1"
    user_agent: str = "Mozilla/5.0\u202e\x00 (\u65e5)"


def test_what_an_event_does_not_have_is_left_out_and_what_it_has_is_said() -> None:
    given = {
        name: getattr(SIGNED, name) for name in ("order_id", "customer_id", "document_sha256", "name", "signed_at")
    }
    values = completion_values([*STEPS[:4], Step(SignedByLink(**given), 4)], None)
    details = details_of(values, "The customer signed")
    assert details["Name as it was typed"] == "Ada Lovelace"
    assert (details["Way"], details["Words of the consent"], details["Address"]) == ("link", "1", "::1")
    assert details["Browser"] == "Mozilla/5.0?? (?)"


@pytest.mark.skipif(find_spec("typst") is None, reason="needs typst: pip install 'eventfold[documents]'")
async def test_the_same_events_give_the_same_bytes() -> None:
    from infrastructure.outside.pdf.typst_renderer import TypstRenderer

    first = await TypstRenderer().render(COMPLETION, completion_values(STEPS, None), NOON)
    assert first == await TypstRenderer().render(COMPLETION, completion_values(STEPS, b"no PDF"), NOON)
    assert first != await TypstRenderer().render(COMPLETION, completion_values(STEPS[:-1], None), NOON)
    assert first.startswith(b"%PDF")


async def test_the_history_is_that_of_the_log_up_to_a_revision() -> None:
    keys, log = memory_keys(), MemoryEventStore()
    codec = EventCodec([CONTRACT], keys=keys)
    encode = await codec.encoder("contract-o-1", EVENTS)
    for number, event in enumerate(EVENTS):
        new_id = f"00000000-0000-0000-0000-{number:012}"
        await log.append(
            "contract-o-1", number - 1, [encode(event, EventMetadata(actor="ada", sent_by="till"), new_id)]
        )
    history = ContractHistory(log, keys)  # type: ignore[arg-type]
    steps = await history("o-1", 4)
    assert [step.event for step in steps] == EVENTS[:5]
    assert {(step.actor, step.sent_by) for step in steps} == {("ada", "till")}
