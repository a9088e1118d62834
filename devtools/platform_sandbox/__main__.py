"""Command `python -m devtools.platform_sandbox`: serve the sandbox until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime
from types import FrameType

from devtools.platform_sandbox.sandbox_options import SandboxOptions
from devtools.platform_sandbox.sandbox_server import SandboxError, base_url_of, bind_socket, create_server
from devtools.platform_sandbox.sandbox_state import SandboxState

_DEFAULTS = SandboxOptions()


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, then return 0; return 2 if the address is invalid or in use."""
    given = _parser().parse_args(arguments)
    try:
        bound = bind_socket(given.host, given.port)
    except SandboxError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    with bound:
        state = SandboxState(_options(given))

        def report_ready() -> None:
            sys.stdout.write(f"sandbox ready at {base_url_of(bound)}\n")
            sys.stdout.flush()

        server = create_server(state, report_ready)

        def stop(number: int, frame: FrameType | None) -> None:
            del number, frame
            server.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        server.run(sockets=[bound])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devtools.platform_sandbox",
        description="Serve imitations of TikTok, Instagram and YouTube with invented creators.",
        epilog="Defaults in parentheses.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=0, help="port to listen on (any free port)")
    add("--seed", type=int, default=_DEFAULTS.seed, help="the same seed gives the same creators (%(default)s)")
    creators = _DEFAULTS.creators_per_platform
    add("--creators-per-platform", type=int, default=creators, help="creators on each platform (%(default)s)")
    add("--latency-ms", type=float, default=_DEFAULTS.latency_ms, help="mean delay of a response (%(default)s)")
    add("--video-count", type=int, help="videos that each creator lists (40 to 160, large creators 600)")
    add("--body-bytes", type=int, default=_DEFAULTS.body_bytes, help="approximate size of a full page (%(default)s)")
    units = _DEFAULTS.youtube_daily_units
    add("--youtube-daily-units", type=int, default=units, help="daily quota of each YouTube key (%(default)s)")
    add("--time", type=_parse_time, help="fixed time of the simulated clock, ISO 8601 (the real time)")
    add("--no-traps", dest="traps", action="store_false", help="only full pages of complete videos, no repetitions")
    return parser


def _options(given: argparse.Namespace) -> SandboxOptions:
    return SandboxOptions(
        seed=given.seed,
        creators_per_platform=given.creators_per_platform,
        latency_ms=given.latency_ms,
        video_count=given.video_count,
        body_bytes=given.body_bytes,
        youtube_daily_units=given.youtube_daily_units,
        time=given.time,
        traps=given.traps,
    )


def _parse_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
