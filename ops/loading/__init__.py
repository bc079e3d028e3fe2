"""Places baskets as orders over HTTP and moves them on; safe to repeat, because every command keeps its key."""
