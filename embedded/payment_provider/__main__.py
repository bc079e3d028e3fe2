"""`python -m embedded.payment_provider --port 8021 --data-dir data/payments`."""

import sys

from embedded.payment_provider.main import main

sys.exit(main())
