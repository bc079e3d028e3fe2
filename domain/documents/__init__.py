"""Documents: the contract of an order, from the request to the customer who was told."""
