"""`eventfold views`: see and steer the views over the projector's HTTP surface, and verify them against the log."""
