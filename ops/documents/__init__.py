"""`eventfold documents`."""
