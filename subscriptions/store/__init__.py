"""The read store for this package's own records: operations are repeated until they succeed, reads go page by page."""
