"""The operators' HTTP surface of the projector: any instance answers for all."""
