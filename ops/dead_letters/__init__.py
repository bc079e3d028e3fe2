"""`eventfold dead-letters`: events that could not be folded, over the projector's HTTP surface."""
