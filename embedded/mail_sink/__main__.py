"""`python -m embedded.mail_sink`."""

import sys

from embedded.mail_sink.main import main

if __name__ == "__main__":
    sys.exit(main())
