"""`eventfold dead-letters`: events that a consumer of the log could not process, over the projector's HTTP surface."""
