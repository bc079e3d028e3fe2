"""What can be wrong with a gateway before it runs."""


class InvalidGateway(Exception):
    """The routes, or the options, make no gateway; the message names what is wrong and where."""
