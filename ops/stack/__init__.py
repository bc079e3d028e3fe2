"""`eventfold up` and the services on this machine: which there are, how they are supervised, each of them alone."""
