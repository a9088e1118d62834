"""Platform sandbox: an HTTP server that imitates TikTok, Instagram and YouTube, for development, tests and benchmarks.

The sandbox imports nothing of `blogger_tracking`, so that the platform clients are not tested against their own code.
"""

from devtools.platform_sandbox.catalogue import Catalogue, Counters, Video
from devtools.platform_sandbox.faults import Fault, FaultKind
from devtools.platform_sandbox.sandbox_app import create_app
from devtools.platform_sandbox.sandbox_options import SandboxOptions
from devtools.platform_sandbox.sandbox_server import SandboxError, SandboxServer
from devtools.platform_sandbox.sandbox_state import LoggedRequest
from devtools.platform_sandbox.world import (
    Creator,
    CreatorKind,
    PlatformName,
    World,
    handles_in_other_scripts,
    uploads_playlist,
)

__all__ = [
    "Catalogue",
    "Counters",
    "Creator",
    "CreatorKind",
    "Fault",
    "FaultKind",
    "LoggedRequest",
    "PlatformName",
    "SandboxError",
    "SandboxOptions",
    "SandboxServer",
    "Video",
    "World",
    "create_app",
    "handles_in_other_scripts",
    "uploads_playlist",
]
