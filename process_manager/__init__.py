"""Sagas: events in, commands out. Reserved: no process manager exists yet."""
