"""A mail server that delivers nothing: it keeps mails, lists them over HTTP, and has faults that can be switched on."""
