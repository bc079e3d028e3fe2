"""Retail baskets: the input of `eventfold load` and `eventfold demo`."""
