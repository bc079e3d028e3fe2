"""Which requests the gateway sends again, and when: only what is safe."""

from ops.gateway.route_table import PublicRoute
from ops.gateway.typed import Config

# No byte of the request has gone out: the instance refused the connection, or the stream, or the connection broke off
# before that.
_NOT_SENT = "connect-failure,refused-stream,reset-before-request"
# It may have been carried out, and its answer lost.
_BROKEN_OFF = "connect-failure,refused-stream,reset"
KEY_HEADER = "idempotency-key"


def retry_policy(route: PublicRoute, *, with_key: bool) -> Config:
    """`with_key`: the request names an idempotency key, by which the second one gets the first one's answer. Another
    instance is asked, where there is one."""
    is_safe = route.repeatable == "always" or (route.repeatable == "with-key" and with_key)
    return {
        "retry_on": _BROKEN_OFF if is_safe and not route.streams else _NOT_SENT,
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                },
            }
        ],
        "host_selection_retry_max_attempts": 3,
    }
