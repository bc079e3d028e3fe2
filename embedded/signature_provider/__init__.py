"""A sandbox signing provider: a process of its own behind HTTP, for one machine, the demo and the tests.

It behaves as a real one does: it takes a PDF and whose signature is wanted, really signs it under an authority of its
own once the signer does, keeps an audit trail, and tells by signed webhooks; and it can be told to misbehave
(`faults.py`). Whoever plays the signer does so at `/sandbox`. It imports nothing of ours but what sandboxes share.
"""
