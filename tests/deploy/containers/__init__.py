"""The image built and run as containers, and the compose file with it: by buildah and podman, as root.

Images that can't be had without a registry have something in their place: the base a Debian of mmdebstrap with its
Python, EventStoreDB and MongoDB the stand-ins of `embedded/`. Mailpit is the real one, built from its source.
"""
