"""Secrets, tokens and what is personal, planted and searched for in everything that a whole stack says and keeps."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from tests.end_to_end.canaries import Planted, live_through_trouble, personal, planted
from tests.support.services import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

EVERYBODY = {what: text for number in range(1, 6) for what, text in personal(number).items()}
FORGOTTEN = personal(2)
DEAD_LETTERS = {"parked_events", "dead_letter_responses"}
IN_CLEAR = {"customer_profiles_v1", "notifying_recipients", "contract_customers", "contract_signers"}
"""The view of customers, and what the consumer that mails remembers: see docs/personal-data.md."""


def found(where: Mapping[str, str], canaries: Mapping[str, str]) -> list[str]:
    return [f"{what} in {place}" for place, text in where.items() for what, one in canaries.items() if one in text]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Planted]:
    """After everything that can go wrong has gone wrong."""
    async with planted(tmp_path_factory.mktemp("canaries")) as planted_stack:
        await live_through_trouble(planted_stack)
        yield planted_stack


async def test_the_trouble_was_real(stack: Planted) -> None:
    assert {200, 201, 400, 401, 403, 404, 409, 503} <= set(stack.statuses)
    assert stack.mail.logged_in >= 2
    assert stack.mail.refused >= 2
    dead = await stack.ask("GET", "projector", "/dead-letters", token=stack.tokens["operator"])
    streams = {one["stream"] for one in dead[1]["dead_letters"]}
    assert streams >= {"customer-c-3", "customer-c-4", "customer-c-5"}
    # The search finds what there is: the provider knows his secret, and the profile shows the customer.
    assert found({"": (await stack.read_store())["customer_profiles_v1"]}, personal(1))


async def test_no_log_says_any(stack: Planted) -> None:
    logs = stack.logs()
    assert set(logs) >= {"node.log", *(f"{name.replace('_', '-')}.log" for name in stack.services)}
    assert any("mail" in text for text in logs.values())
    assert found(logs, {**stack.secrets(), **EVERYBODY}) == []


async def test_no_metric_says_any(stack: Planted) -> None:
    metrics = {}
    for service in stack.services:
        status, text = await stack.ask("GET", service, "/metrics", token=stack.tokens["operator"])
        assert status == 200
        assert "eventfold_" in text
        metrics[service] = text
    assert found(metrics, {**stack.secrets(), **EVERYBODY}) == []


async def test_no_span_says_any(stack: Planted) -> None:
    async def have_come() -> bool:
        return {"eventfold-consumers", "eventfold-projector"} <= {span.service for span in stack.receiver.spans}

    await until(have_come, "the spans have come", 30)
    spans = {f"{span.name} of {span.service}": repr(span) for span in stack.receiver.spans}
    assert any(span.failed for span in stack.receiver.spans)
    assert found(spans, {**stack.secrets(), **EVERYBODY}) == []
    assert stack.receiver.holds(["/customers/{customer_id}"])
    assert not stack.receiver.holds([*stack.secrets().values(), *EVERYBODY.values()])


async def test_no_answer_says_a_secret(stack: Planted) -> None:
    assert found(stack.answers, stack.secrets()) == []


async def test_answers_that_say_what_is_wrong_repeat_nothing_personal(stack: Planted) -> None:
    problems = {request: text for request, text in stack.answers.items() if "application/problem+json" in text}
    assert len(problems) > 20
    assert found(problems, EVERYBODY) == []


async def test_no_dead_letter_shows_what_is_personal(stack: Planted) -> None:
    dead = {request: text for request, text in stack.answers.items() if "dead-letters" in request}
    assert any("c-5" in text for text in dead.values())
    assert found(dead, EVERYBODY) == []
    stored = {name: text for name, text in (await stack.read_store()).items() if name in DEAD_LETTERS}
    assert set(stored) == DEAD_LETTERS
    assert any("c-5" in text for text in stored.values())
    assert found(stored, {**stack.secrets(), **EVERYBODY}) == []


async def test_the_read_store_holds_in_clear_what_the_documents_say_and_nothing_else(stack: Planted) -> None:
    documents = await stack.read_store()
    assert found(documents, {**stack.secrets(), **FORGOTTEN}) == []
    others = {name: text for name, text in documents.items() if name not in IN_CLEAR}
    assert len(others) > 5
    assert found(others, EVERYBODY) == []


def files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


async def test_no_file_of_the_event_store_and_of_the_keys_holds_any(stack: Planted) -> None:
    held = [*files(stack.folder / "node"), *files(stack.folder / "keys"), *files(stack.folder / "payment-provider")]
    own = {stack.keys.signing_key, stack.folder / "keys" / "master.key"}
    assert own <= set(held)
    assert any(b"CustomerRegistered" in one.read_bytes() for one in held)
    texts = {str(one): one.read_bytes().decode("latin-1") for one in held if one not in own}
    assert found(texts, {**stack.secrets(), **EVERYBODY}) == []
    assert [oct(one.stat().st_mode & 0o777) for one in own] == ["0o600"] * 2


def argument_lists() -> dict[str, str]:
    lists = {}
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            lists[str(one)] = one.read_bytes().decode("latin-1")
    return lists


async def test_no_process_has_any_among_its_arguments(stack: Planted) -> None:
    lists = argument_lists()
    assert sum("payment-provider" in text or "command-api" in text for text in lists.values()) >= 2
    assert found(lists, {**stack.secrets(), **EVERYBODY}) == []
