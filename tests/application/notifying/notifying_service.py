"""The consumer `notifying` as a process of its own: `python -m tests.application.notifying.notifying_service`."""

import sys

from msgspec.structs import replace

from application import APPLICATION
from application.notifying import notifying
from subscriptions.main import main

if __name__ == "__main__":
    sys.exit(main(replace(APPLICATION, consumers=(notifying,))))
