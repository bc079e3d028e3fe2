"""What dashboards see of contracts."""
