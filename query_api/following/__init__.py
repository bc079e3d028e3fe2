"""Which build of each view is served, and how far it has come."""
