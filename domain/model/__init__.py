"""What every context is made of: aggregates, their commands and events, and how a command is refused."""
