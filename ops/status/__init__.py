"""`eventfold status`: which services are ready, and how far the projector is."""
