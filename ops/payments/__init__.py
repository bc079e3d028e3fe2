"""`eventfold payments`: our payments beside the provider's list of charges."""
