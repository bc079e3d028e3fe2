"""What operators ask of the inbound service."""
