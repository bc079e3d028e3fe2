"""What takes long to import is imported by those that need it."""

import subprocess
import sys

import pytest

from tests.support.services import ROOT


@pytest.mark.parametrize("service", ["command_api", "query_api", "projector"])
def test_who_asks_nobody_imports_no_http_client(service: str) -> None:
    code = f"import sys, {service}.main, application; application.APPLICATION; print('aiohttp' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout == "False\n"
