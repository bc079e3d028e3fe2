"""Documents and history out over HTTP."""
