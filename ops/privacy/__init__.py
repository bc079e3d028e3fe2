"""Personal data: forgetting a customer, exporting what is held of one, and the master key."""
