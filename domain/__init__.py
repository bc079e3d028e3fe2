"""The rules, pure: no I/O, no framework; msgspec and the standard library only."""
