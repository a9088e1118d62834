"""Removal of old log files from the folder in which Airflow's processes of this host write their logs."""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

_LOG_FILE = re.compile(r"\.log(\.\d+)*$")

_SECONDS_PER_DAY = 86_400


def remove_old_logs(folder: Path, days: int) -> dict[str, int]:
    """Remove log files that were last written more than `days` days ago, and the folders that are empty afterwards.

    Only files named `….log` (or `….log.1`) are removed, and symbolic links are not followed, so that a folder of other
    files loses nothing. Returns the number of files, folders and bytes.
    """
    oldest = time.time() - days * _SECONDS_PER_DAY
    counts = {"files": 0, "folders": 0, "bytes": 0}
    emptied: set[Path] = set()
    for path, _, names in os.walk(folder, topdown=False):
        place = Path(path)
        removed = [size for name in names if (size := _remove(place / name, oldest)) is not None]
        counts["files"] += len(removed)
        counts["bytes"] += sum(removed)
        if place != folder and _remove_folder(place, oldest, is_emptied=bool(removed) or place in emptied):
            counts["folders"] += 1
            emptied.add(place.parent)
    logger.info("Log files below %s: %s removed, %s bytes.", folder, counts["files"], counts["bytes"])
    return counts


def _remove(file: Path, oldest: float) -> int | None:
    """Remove a log file that is old enough, and return its size; None if the file stays."""
    if not _LOG_FILE.search(file.name):
        return None
    # Another maintenance may have removed the file.
    with suppress(FileNotFoundError):
        status = file.lstat()
        if status.st_mtime < oldest:
            file.unlink()
            return status.st_size
    return None


def _remove_folder(folder: Path, oldest: float, *, is_emptied: bool) -> bool:
    """Remove a folder if it is empty now, or was old and empty: a young one may have been made for a log just now."""
    with suppress(OSError):
        if is_emptied or folder.stat().st_mtime < oldest:
            folder.rmdir()
            return True
    return False
