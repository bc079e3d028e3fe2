"""The guard before every service: authenticates each call once, then holds it to the rule of its method."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio

from embedded.event_store_node.protocol import errors
from embedded.event_store_node.security.acl import Action
from embedded.event_store_node.security.authentication import Authenticator
from embedded.event_store_node.security.caller import ANONYMOUS, caller
from embedded.event_store_node.security.permission import may_write
from embedded.event_store_node.security.policy import Caller, OnStream, Rule, rule_of
from embedded.event_store_node.security.stream_access import StreamAccess
from embedded.event_store_node.security.users import User

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"
Check = Callable[[Any], None]


class Guard(grpc.aio.ServerInterceptor):
    """Lets calls through to their handlers, or ends them as UNAUTHENTICATED or PERMISSION_DENIED."""

    def __init__(self, authenticator: Authenticator, access: StreamAccess) -> None:
        self._authenticator = authenticator
        self._access = access

    async def intercept_service(
        self,
        continuation: Continuation,
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method
            return None
        rule = rule_of(handler_call_details.method)
        try:
            user = await self._authenticator.user(handler_call_details.invocation_metadata)
            _check_caller(rule, user)
        except errors.RpcError as refusal:
            return _refusing(handler, refusal)
        caller.set(user.name if user else ANONYMOUS)
        return _guarded(handler, lambda request: self._check(rule, user, request), self._may_write(user))

    def _check(self, rule: Rule, user: User | None, request: Any) -> None:
        if not isinstance(rule, OnStream):
            return
        stream = rule.stream_of(request)
        if stream is not None and not self._access.allows(user, rule.action, stream):
            raise errors.access_denied()

    def _may_write(self, user: User | None) -> Callable[[str], bool]:
        return lambda stream: self._access.allows(user, Action.WRITE, stream)


def _check_caller(rule: Rule, user: User | None) -> None:
    if rule is Caller.ANYBODY:
        return
    if rule is Caller.OPERATOR and not (user and user.is_operator):
        raise errors.access_denied()
    if rule is Caller.USER and user is None:
        raise errors.access_denied()


def _guarded(handler: Handler, check: Check, permission: Callable[[str], bool]) -> Handler:
    """The handler, run only if the call's first message passes the check."""
    handle: Any = _behaviour(handler)

    async def unary(request: Any, context: Context) -> Any:
        try:
            check(request)
        except errors.RpcError as refusal:
            await refusal.abort(context)
        return await _finished(handle(request, context), context)

    async def streaming(requests: AsyncIterator[Any], context: Context) -> Any:
        may_write.set(permission)
        return await _finished(handle(_checked(requests, check, context), context), context)

    return _with_behaviour(handler, streaming if handler.request_streaming else unary)


async def _checked(requests: AsyncIterator[Any], check: Check, context: Context) -> AsyncIterator[Any]:
    is_first = True
    async for request in requests:
        if is_first:
            is_first = False
            try:
                check(request)
            except errors.RpcError as refusal:
                await refusal.abort(context)
        yield request


async def _finished(work: Any, context: Context) -> Any:
    """What a handler that is a coroutine returns; the messages of one that is a generator are sent."""
    if not isinstance(work, AsyncIterator):
        return await work
    async for message in work:
        await context.write(message)
    return None


def _refusing(handler: Handler, refusal: errors.RpcError) -> Handler:
    async def refuse(_: Any, context: Context) -> None:
        await refusal.abort(context)

    return _with_behaviour(handler, refuse)


def _behaviour(handler: Handler) -> Any:
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream


def _with_behaviour(handler: Handler, behaviour: Any) -> Handler:
    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    guarded: Handler = make(behaviour, handler.request_deserializer, handler.response_serializer)
    return guarded
