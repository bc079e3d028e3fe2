"""Where outside providers tell what came of what we asked for: checked, kept for good, then answered. A route for each:
of the payment provider, and of the signing provider.

The one service that strangers may reach, so it is small: it knows no store, only the command API.
"""
