"""`python -m devtools.platform_sandbox`: the sandbox until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime
from types import FrameType

from devtools.platform_sandbox.options import SandboxOptions
from devtools.platform_sandbox.server import SandboxError, address_of, bound_socket, sandbox_server
from devtools.platform_sandbox.state import SandboxState


def main(arguments: list[str] | None = None) -> int:
    """Serve; 0 after SIGINT or SIGTERM, 2 when the address cannot be had."""
    given = _parser().parse_args(arguments)
    try:
        bound = bound_socket(given.host, given.port)
    except SandboxError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    with bound:
        state = SandboxState(_options(given))

        def say_ready() -> None:
            sys.stdout.write(f"sandbox ready at {address_of(bound)}\n")
            sys.stdout.flush()

        server = sandbox_server(state, say_ready)

        def stop(number: int, frame: FrameType | None) -> None:
            del number, frame
            server.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        server.run(sockets=[bound])
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults = SandboxOptions()
    parser = argparse.ArgumentParser(prog="python -m devtools.platform_sandbox", description="The invented platforms.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--creators-per-platform", type=int, default=defaults.creators_per_platform)
    parser.add_argument("--latency-ms", type=float, default=defaults.latency_ms)
    parser.add_argument("--video-count", type=int, help="videos that each creator lists")
    parser.add_argument("--body-bytes", type=int, default=defaults.body_bytes, help="weight of a full page")
    parser.add_argument("--youtube-daily-units", type=int, default=defaults.youtube_daily_units)
    parser.add_argument("--time", type=_moment, help="ISO 8601: the clock stands still there")
    parser.add_argument("--no-traps", dest="traps", action="store_false", help="only full pages of readable videos")
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


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
