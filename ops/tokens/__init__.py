"""`eventfold token` and `eventfold keys`: tokens for people, and the keys that they are made with."""
