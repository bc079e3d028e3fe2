"""Retail baskets placed as orders, and the proof that the views are then right to the cent."""
