"""All services in one process: composed of the very applications that the services are, and nothing else.

It stands above the services and knows each by the function that makes it; none of them knows that it is here.
"""
