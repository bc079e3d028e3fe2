"""The API pages: Swagger UI at /schema, with all that it loads served from here, so that it shows without internet.

Addresses in the page are relative, so that it works behind a gateway's path prefix as well.
"""

from html import escape
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.datastructures import CacheControlHeader
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.static_files import create_static_files_router

from domain.model.access import PUBLIC
from infrastructure.http.rules import ACCESS

PATH = "/schema"
_PACKAGE = "flask-swagger-ui"
# In the path, so that a browser may keep the files for good and takes the next version's all the same.
_ASSETS = f"assets-{version(_PACKAGE)}"
_YEAR = 31_536_000
# The page runs what comes from here and nothing else, and asks nobody else; Swagger UI sets styles on its elements.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Of the page and all that it loads."""
_START = b"""\
window.addEventListener("load", () => {
  const page = document.getElementById("page");
  window.ui = SwaggerUIBundle({
    url: page.dataset.document,
    domNode: page,
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
"""
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{base}{assets}/swagger-ui.css">
</head>
<body>
<div id="page" data-document="{base}openapi.json"></div>
<script src="{base}{assets}/swagger-ui-bundle.js"></script>
<script src="{base}start.js"></script>
</body>
</html>
"""


def api_page(title: str, base: str) -> str:
    """The page that shows the document `openapi.json`, which is at `base` with the page's own files."""
    return _PAGE.format(title=escape(title), base=base, assets=_ASSETS)


class ApiPages(OpenAPIRenderPlugin):
    """The page, and its files beside it."""

    def __init__(self) -> None:
        super().__init__(path="/swagger")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        # What a browser resolves against: `/schema/` and `/schema/swagger` lie one level deeper than `/schema`.
        asked = request.scope["raw_path"].decode("latin-1").rpartition("/")
        base = f"{asked[2]}/" if asked[2] == PATH[1:] else ""
        return api_page(openapi_schema["info"]["title"], base).encode()

    def receive_router(self, router: Router) -> None:
        router.register(_start)
        router.register(
            create_static_files_router(
                path=f"/{_ASSETS}",
                directories=[_folder()],
                cache_control=CacheControlHeader(public=True, max_age=_YEAR, immutable=True),
                name="api_page_files",
            )
        )


def pages_router() -> Router:
    """The router of everything under /schema: what it responds may load nothing from elsewhere."""
    return Router(PATH, route_handlers=[], include_in_schema=False, response_headers=PAGE_HEADERS, opt={ACCESS: PUBLIC})


@get("/", include_in_schema=False, sync_to_thread=False, opt={ACCESS: PUBLIC})
def to_pages() -> Response[None]:
    """Sends whoever opens the service in a browser to its pages; relative, for a gateway's path prefix."""
    return Response(None, status_code=302, headers={"Location": PATH[1:]})


@get("/start.js", media_type="text/javascript", include_in_schema=False, sync_to_thread=False)
def _start() -> bytes:
    return _START


def _folder() -> Path:
    """Where the package's files are. It is not imported: its framework is none of ours."""
    found = find_spec(_PACKAGE.replace("-", "_"))
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "dist"
