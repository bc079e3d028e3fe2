"""A server that speaks S3, with one bucket: versitygw where it is built (`.ci/run` builds it), else moto's."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

from infrastructure.document_store.s3_blobs import Bucket

ACCESS, SECRET = "tests", "tests-secret"


def gateway() -> str | None:
    """The program of versitygw, where it is built."""
    return shutil.which("versitygw") or shutil.which(str(Path.home() / "go" / "bin" / "versitygw"))


def s3_missing() -> str:
    """What is to be installed, empty where nothing is."""
    if find_spec("obstore") is None:
        return "needs obstore: pip install 'eventfold[s3]'"
    if gateway() is None and (find_spec("moto") is None or find_spec("flask_cors") is None):
        return "needs a server that speaks S3: pip install 'moto[s3]' flask-cors, or .ci/install-versitygw"
    return ""


class S3Server:
    """A process; its bucket is a folder named `documents` in `folder`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.is_real = gateway() is not None
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def bucket(self, prefix: str, **changed: str) -> Bucket:
        given = {"endpoint": self.url, "access_key_id": ACCESS, "secret_access_key": SECRET}
        return Bucket("documents", prefix, **{**given, **changed})  # type: ignore[arg-type]

    def start(self) -> None:
        """Waits until it answers."""
        (self.folder / "documents").mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not self._answers():
            assert self._process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)
        if not self.is_real:
            urllib.request.urlopen(urllib.request.Request(f"{self.url}/documents", method="PUT"))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _command(self) -> list[str]:
        found = gateway()
        if found is None:
            return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        keys = ["--access", ACCESS, "--secret", SECRET]
        return [found, *keys, "--port", f"127.0.0.1:{self._port}", "posix", "--nometa", str(self.folder)]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=5):
                return True
        except OSError:
            return False
