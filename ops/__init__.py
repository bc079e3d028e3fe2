"""The `eventfold` command."""
