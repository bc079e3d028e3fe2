"""The destinations over HTTP, for operators."""
