"""`eventfold inbox`: what comes from other systems, over the inbound service's HTTP surface."""
