"""What dashboards see of stock."""
