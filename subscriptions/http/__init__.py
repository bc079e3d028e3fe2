"""The operators' HTTP surface that every service with consumers has."""
