"""The read side: documents and history out over HTTP."""
