"""Where the payment provider tells what came of charges and refunds: checked, kept for good, then answered.

The one service that strangers may reach, so it is small: it knows no store, only the command API.
"""
