"""A maintenance of the ledger and the statistics as a script, for a process that a test can kill."""

from __future__ import annotations

import sys
from datetime import datetime

from blogger_tracking.database.connections import open_pool
from blogger_tracking.settings import Settings
from blogger_tracking.usecases import maintain_database


def main(conninfo: str, moment: str, settings: str) -> None:
    """Remove everything that is old at a moment, one row in a step."""
    maintain_database.ROWS_PER_STEP = 1
    maintain_database.FETCHES_PER_STEP = 1
    now = datetime.fromisoformat(moment)
    pool = open_pool(conninfo, connections=2)
    maintain_database.remove_old_messages(pool, Settings.model_validate_json(settings), now)
    maintain_database.remove_old_runs(pool, Settings.model_validate_json(settings), now)
    maintain_database.remove_old_statistics(pool, Settings.model_validate_json(settings), now.date())
    pool.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
