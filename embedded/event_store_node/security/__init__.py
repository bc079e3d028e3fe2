"""Who may connect and who may do what: TLS, passwords, roles, access control lists."""
