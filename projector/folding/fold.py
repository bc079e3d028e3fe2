"""The fold of a batch in memory: pure but for what it sets aside, and what it says of events that it leaves out."""

from collections.abc import Mapping

import structlog

from projector import metrics
from projector.folding.document_cache import CachedDocument
from read_models.model.view import MissingBeginning, View
from subscriptions.consumer import Batch, Step

log = structlog.get_logger(__name__)


def fold_batch(view: View, batch: Batch, before: Mapping[str, CachedDocument]) -> dict[str, CachedDocument]:
    """The documents that a batch changes; `before` are those of all its keys before it. A fold that raises parks the
    document's key. Raises ConsumerBroken."""
    changed: dict[str, CachedDocument] = {}
    without_beginning: list[Step] = []
    after, is_parked, is_discarded, succeeded = view.after, batch.is_parked, batch.is_discarded, batch.succeeded
    for step in batch.steps:
        position = step.stored.position
        for key in step.keys:
            current = changed.get(key) or before[key]
            if position <= current.position or is_discarded(position, key):
                continue
            if is_parked(key, position):
                batch.park_behind(step, key)
                continue
            try:
                document = after(current.document, step.recorded)
            except MissingBeginning as error:
                if _was_cut_off(batch, step, key):
                    without_beginning.append(step)
                else:
                    batch.park(step, key, error)
            except Exception as error:
                batch.park(step, key, error)
            else:
                changed[key] = CachedDocument(position, document, current.new)
                succeeded()
    if without_beginning:
        _leave_out(view, without_beginning)
    return changed


def _was_cut_off(batch: Batch, step: Step, key: str) -> bool:
    """Whether the beginning is gone from the log itself, which is no fault of the event. What an operator has discarded
    is not gone from there."""
    return step.recorded.revision > 0 and not batch.has_discards(key, step.stored.stream)


def _leave_out(view: View, steps: list[Step]) -> None:
    metrics.WITHOUT_BEGINNING.labels(view.name).inc(len(steps))
    log.warning(
        "events left out: the beginning of their streams is not in the log any more",
        view=view.name,
        events=len(steps),
        stream=steps[0].stored.stream,
        position=steps[0].stored.position,
    )
