"""What lies outside: other services' HTTP, mail. One port and its adapters each, every call under a policy."""
