"""`python -m embedded.signature_provider --port 8023 --data-dir data/signatures`."""

import sys

from embedded.signature_provider.main import main

sys.exit(main())
