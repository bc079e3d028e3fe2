"""What a group has to be like, in the server's words."""

from embedded.event_store_node.persistent import errors
from embedded.event_store_node.persistent.definition import ALL, Definition
from embedded.event_store_node.persistent.source import all_position
from embedded.event_store_node.persistent.strategies import STRATEGIES


def check_start(definition: Definition, last_position: int) -> None:
    """
    Check the strategy and, in a log whose last event has this position, the start.

    Raises:
        RpcError: INTERNAL, with the reason.
    """
    strategy = definition.settings.strategy
    reason = None
    if strategy not in STRATEGIES:
        reason = f"Consumer strategy {strategy} does not exist."
    elif definition.stream == ALL:
        reason = _invalid_position(definition.start, last_position)
    if reason is not None:
        raise errors.failed(definition.stream, definition.group, reason)


def _invalid_position(start: str, last_position: int) -> str | None:
    commit, prepare = all_position(start)
    if prepare > commit:
        complaint = "prepare position must be less than or equal to the commit position."
    elif commit > last_position:
        complaint = "commit position must be less than or equal to the last commit position in the transaction file."
    else:
        return None
    return f"Invalid Start From position: {complaint}"


def check_sizes(definition: Definition) -> None:
    """
    Check the buffer's sizes.

    Raises:
        RpcError: INTERNAL, with the reason.
    """
    if definition.settings.read_batch_size >= definition.settings.history_buffer_size:
        reason = (
            "Specified argument was out of the range of valid values."
            " (Parameter 'ReadBatchSize may not be greater than or equal to BufferSize')"
        )
        raise errors.failed(definition.stream, definition.group, reason)
