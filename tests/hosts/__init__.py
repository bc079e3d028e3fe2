"""The services on hosts of their own, on a network that is slow, loses packets and is cut."""
