"""What dashboards see of payments."""
