"""What operators see and do: status, lag, draining, dead letters."""
