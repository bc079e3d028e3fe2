"""Customers: who they are and where they can be reached, until they are forgotten."""
