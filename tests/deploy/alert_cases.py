"""Each alert with series, one value a minute, on which it fires, and with some on which it must not."""

REQUESTS = 'eventfold_http_request_seconds_count{service="s",method="GET",route="/orders",status="%s"}'
BUCKETS = 'eventfold_%s_bucket{service="s",route="/orders",outcome="appended",le="%s"}'
_COMMANDS = 'eventfold_http_request_seconds_count{service="command-api",method="POST",route="/orders",status="200"}'
FIRING: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "EventfoldServiceDown": (
        {'up{job="eventfold"}': "0x20"},
        {
            'up{job="eventfold",service="s"}': "1x20",
            'up{job="other"}': "0x20",
            # It has never run here.
            'up{job="eventfold",service="inbound"}': "0x20",
        },
    ),
    "EventfoldErrorRatio": (
        {REQUESTS % 200: "0+600x20", REQUESTS % 503: "0+12x20"},
        {REQUESTS % 200: "0+600x20", REQUESTS % 503: "0+3x20", REQUESTS % 409: "0+600x20"},
    ),
    "EventfoldSlowRequests": (
        {
            BUCKETS % ("http_request_seconds", "1"): "0+90x20",
            BUCKETS % ("http_request_seconds", "+Inf"): "0+100x20",
            BUCKETS % ("http_request_seconds", "5"): "0+100x20",
        },
        {BUCKETS % ("http_request_seconds", "1"): "0+100x20", BUCKETS % ("http_request_seconds", "+Inf"): "0+100x20"},
    ),
    "EventfoldSeveralVersions": (
        {'eventfold_build_info{version="1"}': "1x80", 'eventfold_build_info{version="2"}': "1x80"},
        {'eventfold_build_info{version="1"}': "1x80"},
    ),
    "EventfoldNodeDown": ({'up{job="event-store"}': "0x20"}, {'up{job="event-store"}': "1x20"}),
    "EventfoldNodeRefusesWrites": (
        {"eventfold_node_accepts_writes": "0x20"},
        {"eventfold_node_accepts_writes": "1x20"},
    ),
    "EventfoldNodeDiskFills": (
        {"eventfold_node_disk_free_bytes": "9x20", "eventfold_node_disk_size_bytes": "100x20"},
        {"eventfold_node_disk_free_bytes": "11x20", "eventfold_node_disk_size_bytes": "100x20"},
    ),
    "EventfoldSlowAppends": (
        {
            BUCKETS % ("append_seconds", "0.5"): "0+90x20",
            BUCKETS % ("append_seconds", "1"): "0+100x20",
            BUCKETS % ("append_seconds", "+Inf"): "0+100x20",
        },
        {BUCKETS % ("append_seconds", "0.5"): "0+100x20", BUCKETS % ("append_seconds", "+Inf"): "0+100x20"},
    ),
    "EventfoldCircuitOpen": (
        {'eventfold_circuit_state{service="s",dependency="mail"}': "2x20"},
        {'eventfold_circuit_state{service="s",dependency="mail"}': "1x20"},
    ),
    "EventfoldBulkheadFull": (
        {'eventfold_bulkhead_refused_total{service="s",dependency="mail"}': "0+1x20"},
        {'eventfold_bulkhead_refused_total{service="s",dependency="mail"}': "9x20"},
    ),
    "EventfoldConsumerStopped": (
        {
            'eventfold_consumer_stopped{consumer="c",instance="a"}': "0x20",
            'eventfold_consumer_stopped{consumer="c",instance="b"}': "1x20",
        },
        {'eventfold_consumer_stopped{consumer="c",instance="a"}': "0x20"},
    ),
    "EventfoldConsumerLags": (
        {
            'eventfold_consumer_lag_seconds{consumer="c",instance="a"}': "61x20",
            'eventfold_consumer_lag_seconds{consumer="c",instance="b"}': "0x20",
        },
        {
            'eventfold_consumer_lag_seconds{consumer="c"}': "300x4 0x16",
            'eventfold_consumer_lag_seconds{consumer="relay_bus"}': "300x20",
        },
    ),
    "EventfoldSubscriptionLost": (
        {
            'eventfold_consumer_missing_subscriptions{service="s",instance="a"}': "0x20",
            'eventfold_consumer_missing_subscriptions{service="s",instance="b"}': "1x20",
        },
        # It was opened again within the minute, and once more.
        {'eventfold_consumer_missing_subscriptions{service="s"}': "1x3 0x1 1x3 0x9"},
    ),
    "EventfoldEventsParked": (
        {'eventfold_consumer_parked_events{consumer="c"}': "1x20"},
        {
            'eventfold_consumer_parked_events{consumer="c"}': "0x20",
            'eventfold_consumer_parked_events{consumer="relay_bus"}': "1x20",
        },
    ),
    "EventfoldDestinationLags": (
        {
            'eventfold_consumer_lag_seconds{consumer="relay_bus",instance="a"}': "61x20",
            'eventfold_relay_pause_state{consumer="relay_bus",instance="a"}': "0x20",
        },
        {
            'eventfold_consumer_lag_seconds{consumer="relay_bus",instance="a"}': "61x20",
            'eventfold_relay_pause_state{consumer="relay_bus",instance="a"}': "1x20",
            'eventfold_consumer_lag_seconds{consumer="a_view",instance="b"}': "61x20",
        },
    ),
    "EventfoldDestinationPaused": (
        {
            'eventfold_relay_pause_state{consumer="relay_bus",instance="a"}': "1x80",
            'eventfold_relay_pause_state{consumer="relay_bus",instance="b"}': "0x80",
        },
        {'eventfold_relay_pause_state{consumer="relay_bus"}': "1x30 0x50"},
    ),
    "EventfoldDestinationDeadLetters": (
        {'eventfold_consumer_parked_events{consumer="relay_bus"}': "1x20"},
        {
            'eventfold_consumer_parked_events{consumer="relay_bus"}': "0x20",
            'eventfold_consumer_parked_events{consumer="a_view"}': "1x20",
        },
    ),
    "EventfoldSourceStopped": (
        {'eventfold_inbound_connected{consumer="inbound_a",instance="a"}': "0x20"},
        {
            'eventfold_inbound_connected{consumer="inbound_a",instance="a"}': "0x20",
            'eventfold_inbound_connected{consumer="inbound_a",instance="b"}': "1x20",
        },
    ),
    "EventfoldSourceWaits": (
        {
            'eventfold_inbound_waits_total{consumer="inbound_a"}': "0+6x20",
            'eventfold_inbound_messages_total{consumer="inbound_a",outcome="handled"}': "9x20",
            'eventfold_inbound_messages_total{consumer="inbound_b",outcome="handled"}': "0+9x20",
        },
        {
            'eventfold_inbound_waits_total{consumer="inbound_a"}': "0+6x20",
            'eventfold_inbound_messages_total{consumer="inbound_a",outcome="handled"}': "0+9x20",
        },
    ),
    "EventfoldSourceLags": (
        {
            'eventfold_inbound_lag_messages{consumer="inbound_a",instance="a"}': "1001x20",
            'eventfold_inbound_lag_messages{consumer="inbound_a",instance="b"}': "-1x20",
        },
        {
            'eventfold_inbound_lag_messages{consumer="inbound_a"}': "5000x8 0x12",
            'eventfold_inbound_lag_messages{consumer="inbound_b"}': "-1x20",
        },
    ),
    "EventfoldSourceDeadLetters": (
        {'eventfold_inbound_open_dead_letters{consumer="inbound_a"}': "1x20"},
        {'eventfold_inbound_open_dead_letters{consumer="inbound_a"}': "0x20"},
    ),
    "EventfoldSigningLinksRefused": (
        {'eventfold_signing_page_total{outcome="refused"}': "0+12x20"},
        {
            'eventfold_signing_page_total{outcome="refused"}': "0+1x20",
            'eventfold_signing_page_total{outcome="signed"}': "0+12x20",
        },
    ),
    "EventfoldCommandConflicts": (
        {"eventfold_command_conflicts_total": "0+30x20", _COMMANDS: "0+100x20"},
        {"eventfold_command_conflicts_total": "0+10x20", _COMMANDS: "0+100x20"},
    ),
    "EventfoldWebhooksRefused": (
        {'eventfold_payment_webhooks_total{outcome="unsigned"}': "0+12x20"},
        {
            'eventfold_payment_webhooks_total{outcome="kept"}': "0+12x20",
            'eventfold_payment_webhooks_total{outcome="unsigned"}': "0+1x20",
        },
    ),
    "EventfoldProcessStuck": (
        {
            'eventfold_process_stuck_instances{process="p",instance="a"}': "1x20",
            'eventfold_process_stuck_instances{process="p",instance="b"}': "0x20",
        },
        {'eventfold_process_stuck_instances{process="p"}': "0x20"},
    ),
    "EventfoldProcessTimersOverdue": (
        {'eventfold_process_waiting_instances{process="p",next="timer_overdue"}': "1x20"},
        {
            'eventfold_process_waiting_instances{process="p",next="timer_overdue"}': "1 0x19",
            'eventfold_process_waiting_instances{process="p",next="timer"}': "5x20",
        },
    ),
    "EventfoldProcessCommandsUnanswered": (
        {'eventfold_process_unanswered_commands_total{process="p"}': "0+12x20"},
        {'eventfold_process_unanswered_commands_total{process="p"}': "0+1x20"},
    ),
}
