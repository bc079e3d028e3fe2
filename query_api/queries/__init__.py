"""What the views answer: one responder for each kind of query that a view can declare."""
