"""`eventfold relay`: the destinations of integration events, over the event relay's HTTP surface."""
