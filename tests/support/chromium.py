"""A real Chromium that reaches this machine only, driven as by a person: mouse and keyboard, over its own protocol.

Scripts of pages are switched off: what a test does works without them.
"""

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.http_session import http_session
from tests.support.services import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_NETWORK = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: on Debian, apt-get install chromium")

_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *(f"--host-resolver-rules={NO_NETWORK}", "--remote-debugging-port=0", "about:blank"),
)


class Tab:
    """One tab. `requests` and `responses` are what it has asked for and got, `complaints` what the browser says,
    such as what a policy has blocked."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[dict[str, Any]] = []
        self.responses: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A method of the protocol. Raises ChromiumError."""
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(self._waiting[number], 120)

    async def open(self, url: str) -> None:
        """Goes there."""
        await self.call("Page.navigate", url=url)

    async def shows(self, title: str) -> None:
        """Waits until the page with that title is there."""
        seen: list[str] = []

        async def shown() -> bool:
            seen.append(await self.title())
            return seen[-1] == title

        try:
            await until(shown, "", 120)
        except AssertionError:
            raise AssertionError(f"no page {title!r}, but {seen[-1]!r}: {self.complaints}") from None

    async def title(self) -> str:
        html = await self.html()
        return html.partition("<title>")[2].partition("</title>")[0]

    async def html(self) -> str:
        """The page as it stands."""
        while True:
            with contextlib.suppress(ChromiumError):  # it goes from one page to the next
                root = (await self.call("DOM.getDocument"))["root"]
                return str((await self.call("DOM.getOuterHTML", nodeId=root["nodeId"]))["outerHTML"])
            await asyncio.sleep(0.02)

    async def click(self, selector: str) -> None:
        """A click of the mouse in the middle of what is there."""
        await self._with_node(selector, "DOM.scrollIntoViewIfNeeded")
        corners = (await self._with_node(selector, "DOM.getBoxModel"))["model"]["content"]
        at = {"x": sum(corners[::2]) / 4, "y": sum(corners[1::2]) / 4, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, **at)

    async def type(self, selector: str, text: str) -> None:
        """Types into a field."""
        await self._with_node(selector, "DOM.focus")
        await self.call("Input.insertText", text=text)

    async def press(self, selector: str, key: str, code: int, text: str = "") -> None:
        """One key, with what is there in focus; `text` is what it writes."""
        await self._with_node(selector, "DOM.focus")
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **pressed, **({"text": text} if text else {}))
        await self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def _node(self, selector: str) -> int:
        while True:
            with contextlib.suppress(ChromiumError):  # the page was made anew between the two calls
                root = (await self.call("DOM.getDocument"))["root"]
                found = (await self.call("DOM.querySelector", nodeId=root["nodeId"], selector=selector))["nodeId"]
                assert found, f"there is no {selector}"
                return int(found)
            await asyncio.sleep(0.02)

    async def _with_node(self, selector: str, method: str) -> Any:
        """What a method answers about what is there, also where the page is made anew meanwhile."""
        while True:
            with contextlib.suppress(ChromiumError):
                return await self.call(method, nodeId=await self._node(selector))
            await asyncio.sleep(0.02)

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                waiting = self._waiting.pop(told["id"])
                if "error" in told:
                    waiting.set_exception(ChromiumError(str(told["error"])))
                else:
                    waiting.set_result(told["result"])
            elif told["method"] == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"])
            elif told["method"] == "Network.responseReceived":
                self.responses.append(told["params"]["response"])
            elif told["method"] == "Log.entryAdded":
                self.complaints.append(told["params"]["entry"]["text"])


class ChromiumError(Exception):
    """The browser can't do what it was told to."""


@asynccontextmanager
async def chromium_tab(folder: Path) -> AsyncIterator[Tab]:
    """A browser of its own with one tab, for the block."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    with (folder / "chromium.log").open("wb") as log:
        browser = await asyncio.create_subprocess_exec(
            CHROMIUM, f"--user-data-dir={profile}", *_OPTIONS, stdout=log, stderr=log
        )
    try:
        told = profile / "DevToolsActivePort"

        async def listens() -> bool:
            assert browser.returncode is None, (folder / "chromium.log").read_text()[-2000:]
            return told.exists() and len(told.read_text().splitlines()) == 2

        await until(listens, "Chromium can be talked to", 120)
        port = told.read_text().splitlines()[0]
        async with http_session() as http:
            async with http.get(f"http://127.0.0.1:{port}/json/list") as response:
                (page,) = [one for one in await response.json(content_type=None) if one["type"] == "page"]
            async with http.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "DOM", "Network", "Log"):
                    await tab.call(f"{domain}.enable")
                await tab.call("Emulation.setScriptExecutionDisabled", value=True)
                yield tab
                await tab.close()
    finally:
        if browser.returncode is None:
            browser.kill()
        await browser.wait()
