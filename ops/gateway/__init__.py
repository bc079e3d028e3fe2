"""The gateway: one door for clients. Envoy's configuration, made of what the services' own routes declare."""
