"""Invented platforms: an HTTP server that speaks the three wire formats, for development, tests and load.

It imports nothing else of the package, so that the clients are not tested against themselves.
"""

from blogger_tracking.sandbox.app import create_app
from blogger_tracking.sandbox.catalogue import Catalogue, Counters, Video
from blogger_tracking.sandbox.faults import Fault, FaultKind
from blogger_tracking.sandbox.options import SandboxOptions
from blogger_tracking.sandbox.platforms import Platform
from blogger_tracking.sandbox.server import SandboxError, SandboxServer
from blogger_tracking.sandbox.world import Creator, CreatorKind, World, uploads_playlist

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
