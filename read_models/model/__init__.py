"""What every view is made of: how it is built, and how it is asked for."""
