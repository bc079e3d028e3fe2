"""Verifies a view's live build: folds the log afresh in this process and compares every document with the result."""
