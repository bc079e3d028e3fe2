"""Any bytes as headers: what is read of them has the form that the OpenAPI document tells."""

import re

from hypothesis import given
from hypothesis import strategies as st

from command_api.headers import IF_MATCH_PATTERN, WORD_PATTERN, CommandHeaders, command_headers
from infrastructure.http.problems import Problem

any_bytes = st.binary(max_size=200).filter(lambda value: b"\r" not in value and b"\n" not in value)
near_tags = st.from_regex(rb'(W/)?"[!#-~]{0,9}"([ \t]*,[ \t]*(W/)?"[0-9]{0,30}"){0,9}', fullmatch=True)
names = st.sampled_from([b"idempotency-key", b"x-correlation-id", b"eventfold-actor", b"if-match", b"content-type"])


def read(raw: list[tuple[bytes, bytes]]) -> CommandHeaders | Problem:
    try:
        return command_headers(raw)
    except Problem as problem:
        return problem


@given(st.lists(st.tuples(names, any_bytes | near_tags | st.just(b"*")), max_size=6))
def test_whatever_the_headers_are_they_are_read_or_refused_by_name(raw: list[tuple[bytes, bytes]]) -> None:
    headers = read(raw)
    if isinstance(headers, Problem):
        assert headers.details.status == 400
        assert headers.details.detail.lower().encode().startswith(tuple(name for name, _ in raw))
        return
    for value in (headers.idempotency_key, headers.correlation_id, headers.actor):
        assert value is None or re.fullmatch(WORD_PATTERN, value)
    sent = [value.decode("latin-1") for name, value in raw if name == b"if-match"]
    if sent:
        assert re.fullmatch(IF_MATCH_PATTERN, ",".join(sent).strip(", \t"))
        assert all(version < 10**19 for version in headers.if_match or ())
