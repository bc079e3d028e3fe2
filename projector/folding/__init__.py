"""A view as a consumer of the log: from events to documents."""
