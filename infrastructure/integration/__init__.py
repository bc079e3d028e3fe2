"""Integration events on their way out: the CloudEvents envelope, the catalogue, its schemas and their releases."""
