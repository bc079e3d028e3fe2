"""The gateway's configuration for Envoy in containers."""
