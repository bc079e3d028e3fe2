"""The operators' HTTP surface of the processes' instances."""
