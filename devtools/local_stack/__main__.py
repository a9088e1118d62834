"""Entry point of `python -m devtools.local_stack`."""

import sys

from devtools.local_stack.cli import main

sys.exit(main())
