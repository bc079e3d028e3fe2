"""What could not be handled, by whom ever: told apart by the fault, in groups, with a trace of who did what about it.

Nothing here knows what a dead letter is a record of: an event of the log for a consumer, or a message from outside.
"""
