"""What is shown of customers."""
