"""The contract of an order, over the contexts: what follows from what."""
