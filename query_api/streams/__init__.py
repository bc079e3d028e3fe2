"""What the log itself answers: the history of every aggregate, and what it was at an earlier moment."""
