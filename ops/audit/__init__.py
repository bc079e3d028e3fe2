"""`eventfold audit`: the evidence that the log is as it was written."""
