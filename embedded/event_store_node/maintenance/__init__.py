"""Backup, restore and verification of a log: what an operator does beside the running node."""
