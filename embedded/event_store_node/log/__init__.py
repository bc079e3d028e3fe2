"""The log: the file, what is written there and how, and how it is read and published."""
