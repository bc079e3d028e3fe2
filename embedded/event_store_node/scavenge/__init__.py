"""The scavenge: removes from the log what can't be read from its stream any more, and gives the space back."""
