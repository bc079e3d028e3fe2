"""HTTP as the services share it."""
