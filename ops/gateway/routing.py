"""The routes in Envoy's words."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from infrastructure.http.api_pages import PAGE_HEADERS, PATH, api_page
from infrastructure.http.methods import allowed
from ops.gateway.filters import COMPRESSOR, JWT, NEEDS_TOKEN, cross_origin_policy
from ops.gateway.options import GatewayOptions
from ops.gateway.problems import header
from ops.gateway.retries import KEY_HEADER, retry_policy
from ops.gateway.route_table import PublicRoute
from ops.gateway.times import response_time
from ops.gateway.typed import HTTP_FILTERS, Config, seconds, typed
from ops.locations import QUERY_API

ROUTES = "routes"
_MOST_DOCUMENT_BYTES = 8_388_608
_ONLY_TLS = "strict-transport-security", "max-age=31536000"
_SEGMENT = "[^/]+"


def route_configuration(options: GatewayOptions, routes: Sequence[PublicRoute]) -> Config:
    """Everything that the gateway answers: its own pages, the services' routes, and for each path the other methods."""
    origins = options.settings.cross_origin.origins
    host: Config = {
        "name": "gateway",
        "domains": ["*"],
        "routes": [*_pages(options), *_all_routes(options, routes)],
    }
    if origins:
        host["typed_per_filter_config"] = {"envoy.filters.http.cors": cross_origin_policy(origins)}
    return typed(
        "envoy.config.route.v3.RouteConfiguration",
        name=ROUTES,
        virtual_hosts=[host],
        max_direct_response_body_size_bytes=_MOST_DOCUMENT_BYTES,
        response_headers_to_remove=["x-envoy-upstream-service-time"],
        **({"response_headers_to_add": [header(*_ONLY_TLS)]} if options.certificate is not None else {}),
    )


def _all_routes(options: GatewayOptions, routes: Sequence[PublicRoute]) -> Iterator[Config]:
    for _, group in groupby(routes, key=lambda one: one.shape):
        same_path = list(group)
        for route in same_path:
            yield from _of_route(options, route)
        yield from _other_methods(same_path)


def _of_route(options: GatewayOptions, route: PublicRoute) -> Iterator[Config]:
    methods = "GET|HEAD" if route.method == "GET" else route.method
    method = _matches_header(":method", {"safe_regex": {"regex": methods}})
    if route.repeatable == "with-key":
        has_key = {"name": KEY_HEADER, "present_match": True}
        yield _entry(options, route, [method, has_key], with_key=True)
    yield _entry(options, route, [method], with_key=False)


def _entry(options: GatewayOptions, route: PublicRoute, headers: list[Config], *, with_key: bool) -> Config:
    limit: Config = {"timeout": seconds(response_time(options.settings))}
    if route.streams:
        limit = {"timeout": "0s", "idle_timeout": "0s"}
    action: Config = {"cluster": route.service, **limit, "retry_policy": retry_policy(route, with_key=with_key)}
    if route.prefix:
        action["regex_rewrite"] = {"pattern": {"regex": f"^{re.escape(route.prefix)}"}, "substitution": ""}
    per_filter: Config = {}
    if route.needs_token and options.settings.authentication.mode == "on":
        per_filter[JWT] = typed(f"{HTTP_FILTERS}.jwt_authn.v3.PerRouteConfig", requirement_name=NEEDS_TOKEN)
    if not route.compressible:
        per_filter[COMPRESSOR] = typed(f"{HTTP_FILTERS}.compressor.v3.CompressorPerRoute", disabled=True)
    return {
        "name": f"{route.method} {route.public_path}",
        "match": {**_matches_path(route.public_path), "headers": headers},
        "route": action,
        **({"typed_per_filter_config": per_filter} if per_filter else {}),
    }


def _other_methods(routes: Sequence[PublicRoute]) -> Iterator[Config]:
    """OPTIONS with the whole truth, a preflight to a service, which knows the origins, and 405 for all others."""
    path, allow = _matches_path(routes[0].public_path), allowed((one.method for one in routes), {})
    options = _matches_header(":method", {"exact": "OPTIONS"})
    added = {"response_headers_to_add": [header("allow", allow)]}
    yield {
        "name": f"OPTIONS {routes[0].public_path}",
        "match": {**path, "headers": [options]},
        "direct_response": {"status": 204},
        **added,
    }
    yield {
        "name": f"405 {routes[0].public_path}",
        "match": path,
        "direct_response": {"status": 405, "body": {"inline_string": f"{allow} are allowed here"}},
        **added,
    }


def _matches_path(path: str) -> Config:
    if "{" not in path:
        return {"path": path}
    parts = (_SEGMENT if part.startswith("{") else re.escape(part) for part in path.split("/"))
    return {"safe_regex": {"regex": "/".join(parts)}}


def _matches_header(name: str, string_match: Config) -> Config:
    return {"name": name, "string_match": string_match}


def _pages(options: GatewayOptions) -> Iterable[Config]:
    """The merged document and its page, whose scripts are the query API's."""
    reads = [_matches_header(":method", {"safe_regex": {"regex": "GET|HEAD"}})]
    page_headers = [header(name.lower(), value) for name, value in PAGE_HEADERS.items()]

    def direct(path: str, content_type: str, body: Config) -> Config:
        return {
            "name": path,
            "match": {"path": path, "headers": reads},
            "direct_response": {"status": 200, "body": body},
            "response_headers_to_add": [*page_headers, header("content-type", content_type)],
        }

    html: Any = "text/html; charset=utf-8"
    document = {"filename": str(options.folder / "openapi.json")}
    return [
        {
            "name": "/",
            "match": {"path": "/", "headers": reads},
            "redirect": {"path_redirect": PATH, "response_code": "FOUND"},
        },
        direct(f"{PATH}/openapi.json", "application/vnd.oai.openapi+json", document),
        direct(PATH, html, {"inline_string": api_page("Eventfold", f"{PATH[1:]}/")}),
        direct(f"{PATH}/", html, {"inline_string": api_page("Eventfold", "")}),
        *(
            {
                "name": f"{PATH} {name}",
                "match": {**match, "headers": reads},
                "route": {"cluster": QUERY_API, "timeout": seconds(response_time(options.settings))},
            }
            for name, match in (("start", {"path": f"{PATH}/start.js"}), ("files", {"prefix": f"{PATH}/assets-"}))
        ),
    ]
