"""Checkpoints, tiles and keys are what another implementation, that of Go's checksum database, makes and reads."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infrastructure.evidence.checkpointing import extend
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.tiles import Tiles
from tests.infrastructure.evidence.auditable_log import AuditableLog

PROGRAM = Path(__file__).parent / "go_transparency" / "main.go"
MODULE = "module transparency\n\ngo 1.18\n\nrequire golang.org/x/mod v0.12.0\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go: install golang-go")
@pytest.mark.parametrize("size", [1, 300, 513])
def test_go_opens_the_checkpoint_and_proves_every_entry(size: int, tmp_path: Path) -> None:
    tiles, signer = Tiles(tmp_path / "tree"), Signer.new("shop.example/log")

    async def signed() -> None:
        log = AuditableLog()
        await log.write("a-1", 1)
        await extend(log, tiles, signer)
        if size > 1:
            await log.write("b-1", size - 1)
            await extend(log, tiles, signer)

    asyncio.run(signed())
    signer.write(tmp_path / "key")
    program = tmp_path / "program"
    program.mkdir()
    shutil.copy(PROGRAM, program)
    (program / "go.mod").write_text(MODULE)
    ran = subprocess.run(
        [
            "go",
            "run",
            "-mod=mod",
            ".",
            str(tmp_path / "tree"),
            signer.verifier.encode(),
            (tmp_path / "key").read_text().strip(),
        ],
        cwd=program,
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == tiles.checkpoint()  # Ed25519 gives one signature for one text
