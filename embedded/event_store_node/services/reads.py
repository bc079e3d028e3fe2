"""Reads that end: of a stream or of `$all`, in either direction. Each yields lists of encoded messages."""

import asyncio
from collections.abc import AsyncIterator

from embedded.event_store_node.log.events import MAX_POSITION
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.protocol.errors import stream_deleted
from embedded.event_store_node.services import read_responses
from embedded.event_store_node.services.encoder import Encoder
from embedded.event_store_node.services.read_request import At, End, ReadRequest, Start

Messages = AsyncIterator[list[bytes]]


async def read_stream(reader: Reader, request: ReadRequest, encoder: Encoder) -> Messages:
    assert request.stream is not None
    assert request.limit is not None
    stream = reader.stream(request.stream)
    if stream.is_tombstoned:
        raise stream_deleted(request.stream)
    if not stream.is_found:
        yield [read_responses.stream_not_found(request.stream)]
        return
    match request.start:
        case Start():
            revision = 0
        case End():
            revision = stream.last_revision + (0 if request.backwards else 1)
        case At(number):
            revision = number
    first = revision
    remaining = request.limit
    while remaining > 0:
        if request.backwards:
            page = reader.stream_backwards(stream, revision, remaining)
        else:
            page = reader.stream_forwards(stream, revision, remaining)
        if not page:
            break
        yield [encoder.encode(event) for event in page]
        remaining -= len(page)
        revision = page[-1].revision + (-1 if request.backwards else 1)
    if request.wants_stream_positions:
        next_revision = max(stream.first_readable, min(first, stream.last_revision + 1))
        if revision == first != next_revision and not request.backwards:
            yield [read_responses.first_stream_position(next_revision)]
        yield [read_responses.last_stream_position(stream.last_revision)]


async def read_all(reader: Reader, request: ReadRequest, encoder: Encoder) -> Messages:
    assert request.limit is not None
    match request.start:
        case Start():
            position = 0
        case End():
            position = MAX_POSITION if request.backwards else reader.last_position() + 1
        case At(number):
            position = number
    accepts = request.filter.accepts if request.filter else None
    read_page = reader.all_backwards if request.backwards else reader.all_forwards
    remaining = request.limit
    while remaining > 0:
        page = read_page(position, remaining, accepts)
        if page.events:
            yield [encoder.encode(event) for event in page.events]
        else:
            await asyncio.sleep(0)  # a filter that accepts little must not keep the others waiting
        if page.is_end or page.last_position is None:
            return
        remaining -= len(page.events)
        position = page.last_position + (0 if request.backwards else 1)
