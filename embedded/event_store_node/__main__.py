from embedded.event_store_node.main import main

raise SystemExit(main())
