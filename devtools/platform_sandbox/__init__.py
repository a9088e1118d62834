"""Invented platforms: an HTTP server that speaks the three wire formats, for development, tests and load.

It imports nothing else of the package, so that the clients are not tested against themselves.
"""

from devtools.platform_sandbox.app import create_app
from devtools.platform_sandbox.catalogue import Catalogue, Counters, Video
from devtools.platform_sandbox.faults import Fault, FaultKind
from devtools.platform_sandbox.options import SandboxOptions
from devtools.platform_sandbox.platforms import Platform
from devtools.platform_sandbox.server import SandboxError, SandboxServer
from devtools.platform_sandbox.world import Creator, CreatorKind, World, uploads_playlist

__all__ = [
    "Catalogue",
    "Counters",
    "Creator",
    "CreatorKind",
    "Fault",
    "FaultKind",
    "Platform",
    "SandboxError",
    "SandboxOptions",
    "SandboxServer",
    "Video",
    "World",
    "create_app",
    "uploads_playlist",
]
