"""Inventory: how much there is of each article, and what of it is promised to orders."""
