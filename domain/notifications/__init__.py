"""Notifications: what customers were told of an order, by which channel, and what could not be sent."""
