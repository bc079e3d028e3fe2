"""The fold of a batch in memory: pure but for what it sets aside."""

from collections.abc import Mapping

from projector.folding.document_cache import CachedDocument
from read_models.model.view import View
from subscriptions.consumer import Batch


def fold_batch(view: View, batch: Batch, before: Mapping[str, CachedDocument]) -> dict[str, CachedDocument]:
    """The documents that a batch changes; `before` are those of all its keys before it. A fold that raises parks the
    document's key. Raises ConsumerBroken."""
    changed: dict[str, CachedDocument] = {}
    fold, is_parked, is_discarded, succeeded = view.fold, batch.is_parked, batch.is_discarded, batch.succeeded
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
                document = fold(current.document, step.recorded)
            except Exception as error:
                batch.park(step, key, error)
            else:
                changed[key] = CachedDocument(position, document, current.new)
                succeeded()
    return changed
