"""Proofs hold on their own, and nothing in them can be changed without saying what does not hold."""

import ast
import asyncio
import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from infrastructure.evidence import verifier
from infrastructure.evidence.checkpointing import extend
from infrastructure.evidence.proofs import NotCovered, NotInTree, proof_of
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.tree import Tree
from infrastructure.evidence.verifier import NotProven, check_file, check_proof
from tests.infrastructure.evidence.auditable_log import AuditableLog

SIGNER = Signer.new("shop.example/log")
KEY = SIGNER.verifier


async def exported(folder: Path) -> tuple[AuditableLog, Tiles, dict[str, Any]]:
    """Stream a of a log of 600 events, with content that is no text in one."""
    log, tiles = AuditableLog(), Tiles(folder)
    await log.write("b-1", 290)
    await log.write("a-1", 2, links=False)
    await log.write("a-1", 2)
    log.log[-2] = replace(log.log[-2], data="\N{SNOWMAN} \u2028".encode())
    log.log[:] = log.log[:-2]
    await log.write("a-1", 3)
    await log.write("b-1", 305)
    log.log[291] = replace(log.log[291], data=b"\xff\x00")
    await extend(log, tiles, SIGNER)
    return log, tiles, made(log, tiles)


def made(log: AuditableLog, tiles: Tiles) -> dict[str, Any]:
    note = tiles.checkpoint()
    assert note is not None
    events = [event for event in log.log if event.stream == "a-1"]
    size = verifier.open_checkpoint(note, KEY).size
    return json.loads(json.dumps(proof_of(events, Tree(tiles, size), note, KEY)))


async def test_a_proof_holds(tmp_path: Path) -> None:
    log, _, proof = await exported(tmp_path)
    found = check_proof(proof, KEY)
    assert (found.stream, found.revisions, found.unlinked) == ("a-1", (0, 4), 2)
    assert (found.checkpoint.origin, found.checkpoint.size) == ("shop.example/log", len(log.log))
    assert proof["events"][0]["data"] == "a-1:0"
    assert proof["events"][1]["data"] == {"base64": "/wA="}


CHANGES = {
    "data": ("data", "else"),
    "metadata": ("metadata", "{}"),
    "id": ("id", "00000000-0000-0000-0000-000000000000"),
    "type": ("type", "Else"),
    "time": ("recorded_at", 5),
    "position": ("position", 1),
    "leaf": ("leaf", 7),
    "path": ("path", ["AAAA" * 10 + "AAA="]),
    "long path": ("path", "longer"),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("at", [0, 3, 4])
async def test_a_changed_event_is_named(what: str, at: int, tmp_path: Path) -> None:
    _, _, proof = await exported(tmp_path)
    name, value = CHANGES[what]
    event = proof["events"][at]
    event[name] = [*event["path"], event["path"][0]] if value == "longer" else value
    with pytest.raises(NotProven, match=f"a-1, revision {at}"):
        check_proof(proof, KEY)


async def test_what_else_is_changed_is_named(tmp_path: Path) -> None:
    _, _, proof = await exported(tmp_path)

    def refused(message: str, key: verifier.VerifierKey = KEY, **changes: Any) -> None:
        with pytest.raises(NotProven, match=message):
            check_proof({**copy.deepcopy(proof), **changes}, key)

    events = proof["events"]
    refused("revision 3: it does not come after revision 1", events=[*events[:2], *events[3:]])
    refused(
        "revision 1: it does not come after revision 2", events=[*events[:1], events[2], events[1], *events[3:]][1:]
    )
    refused("has no events", events=[])
    refused("a-2, revision 0: the event is not in the tree", stream="a-2")
    refused("signature by shop.example/log does not hold", checkpoint=proof["checkpoint"].replace("\n600\n", "\n599\n"))
    refused("not signed by", key=Signer.new("shop.example/log").verifier)
    refused("not signed by other", key=Signer.new("other").verifier)
    refused("format 'eventfold/proof/v9' is unknown", format="eventfold/proof/v9")
    refused("no proof, or damaged: KeyError: 'revision'", events=[{}])
    for wrong in ([], "text", {}, None, {"format": verifier.PROOF_FORMAT}):
        with pytest.raises(NotProven):
            check_proof(wrong, KEY)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    _, _, proof = asyncio.run(exported(tmp_path_factory.mktemp("tree")))
    del proof["verifier_key"]  # it only says which key to ask for
    return proof


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_is_changed_is_refused(data, before: dict[str, Any]) -> None:
    proof = copy.deepcopy(before)
    inside: Any = proof
    while True:
        key = data.draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
        if not isinstance(inside[key], dict | list) or not inside[key]:
            break
        inside = inside[key]
    inside[key] = data.draw(st.one_of(st.none(), st.integers(-3, 2**70), st.text(max_size=4), st.booleans()))
    if proof == before:
        return
    with pytest.raises(NotProven):
        check_proof(proof, KEY)


async def test_events_beyond_the_checkpoint_or_changed_since_are_not_exported(tmp_path: Path) -> None:
    log, tiles, _ = await exported(tmp_path)
    await log.write("a-1", 1)
    with pytest.raises(NotCovered, match="revision 5 of a-1"):
        made(log, tiles)
    log.log[292] = replace(log.log[292], data=b"else")
    with pytest.raises(NotInTree, match="revision 2 of a-1"):
        made(log, tiles)


async def test_a_file_that_is_no_proof_is_refused(tmp_path: Path) -> None:
    (tmp_path / "proof").write_bytes(b"\xff{")
    for file in (tmp_path / "proof", tmp_path / "missing"):
        with pytest.raises(NotProven, match=str(file)):
            check_file(file, KEY.encode())
    with pytest.raises(NotProven, match="no verifier key"):
        check_file(tmp_path / "proof", "a+b+c")
    with pytest.raises(NotProven, match="nor a file that can be read"):
        check_file(tmp_path / "proof", str(tmp_path / "nothing"))


def test_the_verifier_runs_alone(tmp_path: Path) -> None:
    _, _, proof = asyncio.run(exported(tmp_path / "tree"))
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(verifier.__file__, away / "verifier.py")
    (away / "proof.json").write_text(json.dumps(proof))
    (away / "key").write_text(KEY.encode() + "\n")
    command = [sys.executable, "-I", "verifier.py", "proof.json", "--key"]
    ran = subprocess.run([*command, "key"], cwd=away, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("proven: a-1, revisions 0 to 4, is in the log shop.example/log")
    other = Signer.new("shop.example/log").verifier.encode()
    ran = subprocess.run([*command, other], cwd=away, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("not proven: the checkpoint is not signed by")


def test_the_verifier_imports_nothing_but_cryptography() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text())
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    # The second lies beside it in a bundle of evidence, and is looked for where the first is missing.
    assert names - set(sys.stdlib_module_names) == {"cryptography", "ed25519"}
