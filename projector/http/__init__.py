"""The projector's HTTP routes for operators: any instance responds for all."""
