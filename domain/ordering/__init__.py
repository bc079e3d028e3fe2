"""Ordering: orders from placement to delivery or cancellation."""
