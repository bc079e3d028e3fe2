"""How anything follows the log: subscriptions, work shared out over processes, checkpoints, events set aside.

A consumer plugs in (see subscriptions.consumer); nothing here knows what any of them does.
"""
