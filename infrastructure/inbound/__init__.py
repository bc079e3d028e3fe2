"""Messages of other systems, from a broker into our hands: consumers that acknowledge what is done, and no earlier."""
