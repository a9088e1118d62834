"""Stand-in for the Prometheus exporter for StatsD, of which Debian has no package, with the mapping of docs/grafana."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_LINE = re.compile(r"(?P<name>[^:]+):(?P<value>[-\d.]+)\|(?P<kind>c|g|ms)")


class StatsdExporter:
    """Takes lines of StatsD, and serves their sums as Prometheus reads them at `/metrics`."""

    def __init__(self, mappings: Sequence[Mapping[str, Any]]) -> None:
        self._mappings = [(re.compile(re.escape(each["match"]).replace(r"\*", r"([^.]+)")), each) for each in mappings]
        self._samples: dict[str, float] = defaultdict(float)
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(exporter._text().encode())

            def log_message(self, *_: object) -> None:
                """Write no line for a request."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def feed(self, lines: Sequence[str]) -> None:
        """Add lines. Raises ValueError for a line that no mapping matches."""
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None:
                raise ValueError(f"{line} is no line of StatsD")
            self._add(found["name"], float(found["value"]), found["kind"])

    def _add(self, name: str, value: float, kind: str) -> None:
        for pattern, mapping in self._mappings:
            if match := pattern.fullmatch(name):
                labels = {
                    label: match[int(place.removeprefix("$"))] for label, place in mapping.get("labels", {}).items()
                }
                break
        else:
            raise ValueError(f"no mapping matches {name}")
        if kind == "g":
            self._samples[_sample(mapping["name"], labels)] = value
        elif kind == "c":
            self._samples[_sample(mapping["name"], labels)] += value
        else:
            self._observe(mapping, labels, value / 1000)

    def _observe(self, mapping: Mapping[str, Any], labels: Mapping[str, str], seconds: float) -> None:
        for limit in [*mapping["histogram_options"]["buckets"], float("inf")]:
            bound = "+Inf" if limit == float("inf") else str(limit)
            self._samples[_sample(f"{mapping['name']}_bucket", {**labels, "le": bound})] += seconds <= limit
        self._samples[_sample(f"{mapping['name']}_sum", labels)] += seconds
        self._samples[_sample(f"{mapping['name']}_count", labels)] += 1

    def _text(self) -> str:
        return "".join(f"{sample} {value}\n" for sample, value in self._samples.items())


def _sample(name: str, labels: Mapping[str, str]) -> str:
    pairs = [f'{label}="{value}"' for label, value in labels.items()]
    return f"{name}{{{','.join(pairs)}}}"
