"""From events to documents, in memory and pure but for what is parked."""
