"""The signing page as an application."""

from pathlib import Path

from litestar import Litestar

from infrastructure.http.health import outside
from infrastructure.http.service import closing, create_app
from infrastructure.outside.calls import OVER_NETWORK, Calls
from infrastructure.outside.commands import CommandClient
from infrastructure.outside.queries import QueryClient
from infrastructure.security.link_keys import LinkKeys, UnusableLinkKeys
from infrastructure.settings import InvalidSettings, Settings
from signing_page.contracts import Contracts
from signing_page.problem_pages import with_problem_pages
from signing_page.routes import DOCUMENT, PAGE, signing_routes

NAME = "signing-page"


def signing_page(settings: Settings, calls: Calls = OVER_NETWORK) -> Litestar:
    """Raises InvalidSettings where there are no keys that links could be checked with."""
    path = settings.documents.link_key_file
    if not path:
        raise InvalidSettings("EVENTFOLD_DOCUMENT_LINK_KEY_FILE is not set: the keys of the links by which one signs")
    keys = LinkKeys(Path(path))
    try:
        keys.all()
    except UnusableLinkKeys as error:
        raise InvalidSettings(f"EVENTFOLD_DOCUMENT_LINK_KEY_FILE: {error}") from None
    commands = CommandClient.from_settings(settings, NAME, calls=calls)
    queries = QueryClient.from_settings(settings, NAME, calls=calls)
    app = create_app(
        "Eventfold signing page",
        signing_routes(keys, Contracts(commands, queries)),
        outside([commands.policy, queries.policy], required=True),
        settings,
        lifespan=[closing(commands.close, queries.close)],
        open_paths=[PAGE, DOCUMENT],  # whoever asks there proves by the link that he may
    )
    app.asgi_handler = with_problem_pages(app.asgi_handler)
    return app
