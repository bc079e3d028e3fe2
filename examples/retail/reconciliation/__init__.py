"""Compares what the views say after a load with what the input file alone says they must."""
