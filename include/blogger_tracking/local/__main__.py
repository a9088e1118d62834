"""Entry point of `python -m blogger_tracking.local`."""

import sys

from blogger_tracking.local.cli import main

sys.exit(main())
