"""What comes in: other systems' messages that become commands, and customers at the signing page."""

from deploy.grafana.boards.common import quantile, rate_by
from deploy.grafana.panels import Dashboard, Panel, Query

INBOUND = Dashboard(
    "eventfold-inbound",
    "Eventfold: inbound",
    "Messages of other systems on their way to the command API, each source as inbound_NAME; customers who sign.",
    rows=[
        [
            Panel(
                "Messages",
                "A second: handled, duplicate (done before), set_aside and behind (dead letters), ignored.",
                [Query(rate_by("eventfold_inbound_messages_total", "consumer, outcome"), "{{consumer}} {{outcome}}")],
                "ops",
            ),
            Panel(
                "Waiting at the broker",
                "Messages that are not taken yet, as the process with most of them sees it; -1 where it does not tell.",
                [Query("max by (consumer) (eventfold_inbound_lag_messages)", "{{consumer}}")],
                "short",
            ),
        ],
        [
            Panel(
                "Time of a message",
                "99 of 100 are faster: from its arrival until what came of it was stored.",
                [Query(quantile(0.99, "eventfold_inbound_seconds", "consumer"), "{{consumer}}")],
                "s",
            ),
            Panel(
                "Received, and waiting for something away",
                "A second: what came from the broker, repetitions too; attempts that failed since something was away.",
                [
                    Query(rate_by("eventfold_inbound_received_total", "consumer"), "{{consumer}} received"),
                    Query(rate_by("eventfold_inbound_waits_total", "consumer"), "{{consumer}} waits"),
                ],
                "ops",
            ),
        ],
        [
            Panel(
                "Dead letters",
                "Those that are neither retried nor discarded. `eventfold inbox dead-letters list`.",
                [Query("max by (consumer) (eventfold_inbound_open_dead_letters)", "{{consumer}}")],
                "short",
            ),
            Panel(
                "Dead letters, by what is wrong",
                "The largest groups by their fingerprint. `eventfold inbox dead-letters groups`.",
                [
                    Query(
                        "max by (consumer, group) (eventfold_inbound_open_dead_letter_group_messages)",
                        "{{consumer}} {{group}}",
                    )
                ],
                "short",
            ),
        ],
        [
            Panel(
                "Set aside, by class",
                "A second, by what was wrong with them.",
                [Query(rate_by("eventfold_inbound_dead_letters_total", "consumer, reason"), "{{consumer}} {{reason}}")],
                "ops",
            ),
        ],
        [
            Panel(
                "Connected",
                "1 while messages can come from the broker to at least one process. `eventfold inbox sources`.",
                [Query("max by (consumer) (eventfold_inbound_connected)", "{{consumer}}")],
                "short",
            ),
            Panel(
                "The signing page",
                "Requests a second by what became of them; refused: the link does not hold, or is over.",
                [Query(rate_by("eventfold_signing_page_total", "outcome"), "{{outcome}}")],
                "ops",
            ),
        ],
    ],
)
