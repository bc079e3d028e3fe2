"""The chains of events that nobody coordinates, asked of the process manager and shown."""
