"""HTTP as every service speaks it: the server, health, problem details, and the client of our own services."""
