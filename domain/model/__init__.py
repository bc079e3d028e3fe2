"""The parts of every context: aggregates, their commands and events, and how a command is refused."""
