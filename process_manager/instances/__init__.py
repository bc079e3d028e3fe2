"""One instance of a process: its stream, what the stream says, and what it decides on a trigger."""
