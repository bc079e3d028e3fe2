"""The sub-commands of `eventfold`: each module has `add_parser`, and a `run` that returns the exit status."""
