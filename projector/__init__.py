"""Folds the log into documents: the engine, not the views."""
