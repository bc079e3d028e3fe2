"""Retail baskets: the committed sample, and the whole data set."""
