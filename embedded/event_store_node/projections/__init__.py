"""The system projections: link streams by category, by event type and so on, kept in step with the log."""
