"""Events that a view could not fold, as operators see and deal with them, over the projector's HTTP surface."""
