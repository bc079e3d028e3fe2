"""What the signing provider told us by webhook: kept as it came, then matched to the contract.

One stream for all that was told about one reference, which is the id of an order where it is one of ours.
"""
