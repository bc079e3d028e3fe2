"""What dashboards see: one file per view, each a pure fold of events into documents."""
