"""`eventfold catalogue`: every event there is."""
