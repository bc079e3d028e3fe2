"""Workloads on the bundled domain. They know the services over HTTP alone."""
