"""What the protocol says the same way in every service: errors, filters, ids."""
