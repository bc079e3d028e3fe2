"""What dashboards see of notifications."""
