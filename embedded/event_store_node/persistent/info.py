"""What the server tells about a group."""

import time

from esdbclient.protos.Grpc import persistent_pb2

from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.group import Group

SubscriptionInfo = persistent_pb2.SubscriptionInfo

_MAX_RATE = 2**31 - 1


class Measurement:
    """Counts since the last time that somebody asked, the first time since `began` (of `time.monotonic()`)."""

    def __init__(self, began: float) -> None:
        self._at = began
        self._total_items = 0

    def info(self, group: Group) -> SubscriptionInfo:
        """Settings, positions, counts and consumers of a group."""
        now = time.monotonic()
        seconds, self._at = now - self._at, now
        definition, settings, deliveries = group.definition, group.settings, group.deliveries
        items, self._total_items = deliveries.total_items - self._total_items, deliveries.total_items
        connections = [_connection(consumer, seconds) for consumer in deliveries.consumers]
        return SubscriptionInfo(
            event_source=definition.stream,
            group_name=definition.group,
            status=_status(group),
            connections=connections,
            average_per_second=_rate(items, seconds),
            total_items=deliveries.total_items,
            count_since_last_measurement=items,
            last_checkpointed_event_position=_position(group, group.checkpoints.position),
            last_known_event_position=_position(group, group.feed.last_known),
            resolve_link_tos=settings.resolve_links,
            start_from=definition.start,
            message_timeout_milliseconds=settings.message_timeout_ms,
            extra_statistics=settings.extra_statistics,
            max_retry_count=settings.max_retry_count,
            live_buffer_size=settings.live_buffer_size,
            buffer_size=settings.history_buffer_size,
            read_batch_size=settings.read_batch_size,
            check_point_after_milliseconds=settings.checkpoint_after_ms,
            min_check_point_count=settings.min_checkpoint_count,
            max_check_point_count=settings.max_checkpoint_count,
            read_buffer_count=group.buffer.new_count,
            live_buffer_count=group.feed.live_count,
            retry_buffer_count=group.buffer.retry_count,
            total_in_flight_messages=sum(connection.in_flight_messages for connection in connections),
            outstanding_messages_count=len(deliveries.outstanding),
            named_consumer_strategy=settings.strategy,
            max_subscriber_count=settings.max_subscriber_count,
            parked_message_count=group.replay.parked_count(),
        )


def _connection(consumer: Consumer, seconds: float) -> SubscriptionInfo.ConnectionInfo:
    items = consumer.total_items - consumer.last_total_items
    consumer.last_total_items = consumer.total_items
    measurements = consumer.timings.measurements() if consumer.timings else []
    return SubscriptionInfo.ConnectionInfo(
        username=consumer.username,
        average_items_per_second=_rate(items, seconds),
        total_items=consumer.total_items,
        count_since_last_measurement=items,
        observed_measurements=[SubscriptionInfo.Measurement(key=key, value=value) for key, value in measurements],
        available_slots=consumer.available_slots,
        in_flight_messages=len(consumer.in_flight),
        connection_name=consumer.connection_name,
    )


def _status(group: Group) -> str:
    flags = {
        "Behind": not group.feed.is_live,
        "OutstandingPageRequest": group.feed.is_reading,
        "ReplayingParkedMessages": group.replay.is_active,
        "Live": group.feed.is_live,
    }
    return ", ".join(name for name, is_set in flags.items() if is_set)


def _rate(items: int, seconds: float) -> int:
    # The field has 32 bits, and the time between two questions can be next to nothing.
    return min(int(items / seconds), _MAX_RATE) if seconds > 0 else 0


def _position(group: Group, position: int | None) -> str:
    return "" if position is None else group.source.text(position)
