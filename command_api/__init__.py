"""The write side: HTTP commands in, domain events out."""
