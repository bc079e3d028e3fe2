"""This version and the one before it, side by side over the same stores."""
