"""What sandbox providers have in common: each is a process of its own behind HTTP that stands for somebody else's
service, with idempotency keys, signed webhooks, and faults on demand. It imports nothing of ours.
"""
