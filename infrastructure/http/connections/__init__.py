"""HTTP connections with bounds: what a client may send, how slowly, and how many connections there may be."""
