"""Payments: what was charged for an order, and what was given back. One payment an order, named by the order's id."""
