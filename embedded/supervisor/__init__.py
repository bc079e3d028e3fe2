"""Runs the services of one machine as child processes: start in order, restart with backoff, stop in reverse.

It knows nothing of what it runs: a service is a command line, a port and a readiness condition (`ServiceSpec`).
"""
