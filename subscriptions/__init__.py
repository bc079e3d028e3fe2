"""How any consumer follows the log: subscriptions, work divided among processes, checkpoints, events set aside.

A consumer plugs in (see subscriptions.consumer); nothing here knows what a consumer does.
"""
