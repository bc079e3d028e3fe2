"""How the fulfilment of each order stands."""
