"""Runs the application's processes: events come in from the log, commands go out to the command API."""
