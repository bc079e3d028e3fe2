"""Who may do what: identities, and what they rest on."""
