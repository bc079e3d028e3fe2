"""`eventfold demo`: the main job end to end, with crashes, proved against the input file."""
