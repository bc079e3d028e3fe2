"""The drill of the page on operations, carried out as it stands: backed up, lost, restored, checked."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from infrastructure.settings import PREFIX
from tests.docs.walk_through import PATIENCE, stack
from tests.support.ports import free_port
from tests.support.services import ROOT

PAGE = (ROOT / "docs/operations.md").read_text()
ORDER = {"customer_id": "ada", "currency": "USD", "lines": [{"sku": "tea", "quantity": 1, "unit_price": 450}]}


def block(name: str) -> str:
    """The commands of one step of the drill."""
    (found,) = re.findall(rf"<!-- drill: {name} -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def carry_out(name: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The step, in a shell that stops at the first failure."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block(name)],
        cwd=folder,
        env={**clean, **environ, "EVENTFOLD_AUTH": "off", "PATH": tools, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def done(name: str, folder: Path, **environ: str) -> str:
    """What the step prints; it must succeed."""
    ran = carry_out(name, folder, **environ)
    assert ran.returncode == 0, (name, ran.stdout[-2000:], ran.stderr[-2000:])
    return ran.stdout


class Shop:
    """The stack's services over HTTP."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = ports

    def ask(self, service: str, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"key-of-{path.strip('/').replace('/', '-')}"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"http://127.0.0.1:{self._ports[service]}{path}", data, headers, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)

    def place(self, order: str) -> Any:
        """The answer."""
        status, answer = self.ask("command-api", f"/orders/{order}", "PUT", ORDER)
        assert status == 201, answer
        return answer

    def confirmed(self, order: str) -> Any:
        """The order, once it is confirmed and its customer was told."""
        until = monotonic() + PATIENCE
        while monotonic() < until:
            status, shown = self.ask("query-api", f"/orders/{order}")
            if status == 200 and shown["status"] == "confirmed" and self.mails(order):
                return shown
        raise AssertionError(f"{order} is not confirmed: {shown}")

    def mails(self, order: str) -> list[str]:
        """The ids of the mails about an order."""
        _, answer = self.ask("mail-sink", "/mails")
        return [mail["message_id"] for mail in answer["mails"] if order in mail["text"] + mail["subject"]]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash: apt-get install bash")
def test_the_drill_brings_back_what_was_backed_up(tmp_path: Path) -> None:
    with stack(ROOT, tmp_path / "data", "--no-auth") as ports:
        shop = Shop(ports)
        assert shop.ask("command-api", "/stock/tea/receive", "POST", {"quantity": 9})[0] == 200
        placed = shop.place("o-before")
        before, mails = shop.confirmed("o-before"), shop.mails("o-before")
        done("sign", tmp_path)
        done("back up", tmp_path)
        shop.place("o-after")
        shop.confirmed("o-after")
    done("disaster", tmp_path)
    done("restore", tmp_path, NODE_PORT=str(free_port()))
    with stack(ROOT, tmp_path / "data", "--no-auth") as ports:
        shop = Shop(ports)
        assert shop.confirmed("o-before") == before
        assert shop.ask("query-api", "/orders/o-after")[0] == 404
        assert shop.place("o-before") == placed, "its Idempotency-Key counts as before"
        print(done("check", tmp_path))
        # Others, such as that of the contract, may have come after the backup.
        assert [one for one in shop.mails("o-before") if one in mails] == mails, "nobody was told twice"
        outside = carry_out("outside", tmp_path)
        assert outside.returncode == 1
        assert "o-after" in outside.stdout
        assert "o-before" not in outside.stdout
