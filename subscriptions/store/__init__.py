"""The read store as the floor uses it for its own records: repeated until it answers, read page by page."""
