"""What dashboards see of orders."""
