"""The gRPC services: what clients ask for, checked, done and answered."""
