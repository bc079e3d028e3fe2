"""The processes: what brings several contexts to one end. A process knows their events and commands, and no more."""
