"""Proves a view's live build: the log is folded afresh in this process, and every document compared with it."""
