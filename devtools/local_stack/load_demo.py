"""Command `python -m devtools.local_stack.load_demo`: load the demo organizations into the application's database.

The database is that of the Connection `blogger_db_admin` in the environment.
"""

from __future__ import annotations

import os
import sys

from blogger_tracking.database.connections import connect
from devtools.local_stack.airflow_connections import ADMIN_CONNECTION, variable_of
from devtools.local_stack.demo_data import load_demo
from devtools.platform_sandbox import SandboxOptions


def main() -> int:
    """Load the demo organizations, print their number of bloggers, and return 0."""
    with connect(os.environ[variable_of(ADMIN_CONNECTION)]) as connection:
        bloggers = load_demo(connection, SandboxOptions().seed)
    sys.stdout.write(f"Loaded demo data: {bloggers} tracked bloggers\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
