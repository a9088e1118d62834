"""Client of the sandbox's admin API: faults, and counted requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

_TIMEOUT_SECONDS = 10.0


class SandboxAdmin:
    """Controls a running sandbox over HTTP."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_sandbox"

    def inject(self, *faults: Mapping[str, object]) -> None:
        """Inject faults, each an object of docs/sandbox.md#faults."""
        self._post("faults", list(faults))

    def heal(self) -> None:
        """Remove all faults."""
        requests.delete(f"{self._url}/faults", timeout=_TIMEOUT_SECONDS).raise_for_status()

    def forget_requests(self) -> None:
        """Reset the counts of requests."""
        requests.delete(f"{self._url}/requests", timeout=_TIMEOUT_SECONDS).raise_for_status()

    def counted_requests(self) -> dict[str, int]:
        """Return the number of requests by call, for example `TikTok posts`."""
        response = requests.get(f"{self._url}/requests", timeout=_TIMEOUT_SECONDS)
        response.raise_for_status()
        calls: dict[str, dict[str, Any]] = response.json()["calls"]
        return {f"{platform} {call}": number for platform, each in calls.items() for call, number in each.items()}

    def _post(self, route: str, body: object) -> None:
        requests.post(f"{self._url}/{route}", json=body, timeout=_TIMEOUT_SECONDS).raise_for_status()
