"""What the payment provider told us, by webhook or otherwise: kept as it came, then matched to the payment.

One stream for all that was told about one reference, which is the id of an order where it is one of ours.
"""
