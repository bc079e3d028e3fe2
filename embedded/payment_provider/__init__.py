"""A sandbox payment provider: a process of its own behind HTTP, for one machine, the demo and the tests.

It behaves as a real one does: idempotency keys, charges that settle later, refunds, signed webhooks that are delivered
at least once, a list to reconcile with; and it can be told to misbehave (`faults.py`). It imports nothing of ours.
"""
