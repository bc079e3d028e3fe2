"""How routes speak HTTP: parameters, responses, problem details, metrics and OpenAPI; nothing of what they read."""
