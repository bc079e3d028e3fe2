"""Places baskets as orders over HTTP and moves the orders on. A load may be repeated: every command keeps its key."""
