"""
Messages of the services that esdbclient has no generated code for, made at start from descriptors. Names and
numbers are those of the protocol's serverfeatures.proto, operations.proto and monitoring.proto.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# A pool of its own: a program that has the generated code as well must not meet each message twice.
_POOL = descriptor_pool.DescriptorPool()

_Field = descriptor_pb2.FieldDescriptorProto
_STRING, _INT32, _UINT64, _BOOL = _Field.TYPE_STRING, _Field.TYPE_INT32, _Field.TYPE_UINT64, _Field.TYPE_BOOL


def _field(name: str, number: int, kind: "_Field.Type.ValueType | str", repeated: bool = False) -> _Field:
    """A field of a scalar type or, given a full name, of a message type."""
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if isinstance(kind, str):
        return _Field(name=name, number=number, type=_Field.TYPE_MESSAGE, type_name=kind, label=label)
    return _Field(name=name, number=number, type=kind, label=label)


def _message(
    name: str, *fields: _Field, nested: tuple[descriptor_pb2.DescriptorProto, ...] = ()
) -> descriptor_pb2.DescriptorProto:
    return descriptor_pb2.DescriptorProto(name=name, field=fields, nested_type=nested)


def _register(package: str, *messages: descriptor_pb2.DescriptorProto) -> None:
    _POOL.Add(
        descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3", message_type=messages
        )
    )


def _class(full_name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(full_name))


_FEATURES = "event_store.client.server_features"
_register(
    _FEATURES,
    _message(
        "SupportedMethods",
        _field("methods", 1, f".{_FEATURES}.SupportedMethod", repeated=True),
        _field("event_store_server_version", 2, _STRING),
    ),
    _message(
        "SupportedMethod",
        _field("method_name", 1, _STRING),
        _field("service_name", 2, _STRING),
        _field("features", 3, _STRING, repeated=True),
    ),
)
SupportedMethods = _class(f"{_FEATURES}.SupportedMethods")
SupportedMethod = _class(f"{_FEATURES}.SupportedMethod")

_OPERATIONS = "event_store.client.operations"
_register(
    _OPERATIONS,
    _message(
        "StartScavengeReq",
        _field("options", 1, f".{_OPERATIONS}.StartScavengeReq.Options"),
        nested=(_message("Options", _field("thread_count", 1, _INT32), _field("start_from_chunk", 2, _INT32)),),
    ),
    _message(
        "StopScavengeReq",
        _field("options", 1, f".{_OPERATIONS}.StopScavengeReq.Options"),
        nested=(_message("Options", _field("scavenge_id", 1, _STRING)),),
    ),
    # The result is an enumeration in the protocol, which is the same on the wire.
    _message("ScavengeResp", _field("scavenge_id", 1, _STRING), _field("scavenge_result", 2, _INT32)),
    _message("SetNodePriorityReq", _field("priority", 1, _INT32)),
)
StartScavengeReq = _class(f"{_OPERATIONS}.StartScavengeReq")
StopScavengeReq = _class(f"{_OPERATIONS}.StopScavengeReq")
ScavengeResp = _class(f"{_OPERATIONS}.ScavengeResp")
SetNodePriorityReq = _class(f"{_OPERATIONS}.SetNodePriorityReq")
SCAVENGE_STARTED, SCAVENGE_IN_PROGRESS, SCAVENGE_STOPPED = 0, 1, 2

_MONITORING = "event_store.client.monitoring"
_stats_entry = _message("StatsEntry", _field("key", 1, _STRING), _field("value", 2, _STRING))
_stats_entry.options.map_entry = True
_register(
    _MONITORING,
    _message("StatsReq", _field("use_metadata", 1, _BOOL), _field("refresh_time_period_in_ms", 4, _UINT64)),
    _message(
        "StatsResp",
        _field("stats", 1, f".{_MONITORING}.StatsResp.StatsEntry", repeated=True),
        nested=(_stats_entry,),
    ),
)
StatsReq = _class(f"{_MONITORING}.StatsReq")
StatsResp = _class(f"{_MONITORING}.StatsResp")
