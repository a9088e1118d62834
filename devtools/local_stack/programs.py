"""A process that is kept alive, as it stands in the supervisor's configuration."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

_LOG_BYTES = "50MB"
_LOG_BACKUPS = "2"
_STOP_SECONDS = "10"


@dataclass(frozen=True, slots=True)
class Program:
    """A command and how it wants to be stopped.

    `stops_itself`: it ends its own children, so that the signal goes to it alone and not to its process group.
    `user` runs the program, by default whoever starts the stack; `folder` is its working directory.
    """

    name: str
    command: Sequence[str]
    stop_signal: str = "TERM"
    stops_itself: bool = False
    user: str | None = None
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class ProgramGroup:
    """Programs that start and stop together. Groups stop one after the other, the last one first."""

    name: str
    programs: Sequence[Program]


def supervisor_configuration(groups: Sequence[ProgramGroup], socket: Path) -> str:
    """The configuration file of a supervisor over these groups, none of which starts by itself.

    It writes `supervisord.pid` and a folder `log` into its working directory.
    """
    parser = ConfigParser(interpolation=None)
    parser["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        # Paths are relative, because supervisord expands some of them twice: no quoting gets a % through that.
        "pidfile": "supervisord.pid",
        "logfile": "log/supervisord.log",
        "childlogdir": "log",
    }
    parser["unix_http_server"] = {"file": _literal(socket), "chmod": "0700"}
    parser["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for priority, group in enumerate(groups, start=1):
        names = ",".join(program.name for program in group.programs)
        parser[f"group:{group.name}"] = {"programs": names, "priority": str(priority)}
        for program in group.programs:
            parser[f"program:{program.name}"] = _program_section(program)
    return _as_text(parser)


def _program_section(program: Program) -> dict[str, str]:
    section = {
        "command": _literal(shlex.join(program.command)),
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "1",
        "stopsignal": program.stop_signal,
        "stopwaitsecs": _STOP_SECONDS,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"log/{program.name}.log",
        "stdout_logfile_maxbytes": _LOG_BYTES,
        "stdout_logfile_backups": _LOG_BACKUPS,
    }
    if not program.stops_itself:
        section["stopasgroup"] = "true"
    if program.user is not None:
        section["user"] = program.user
    if program.folder is not None:
        section["directory"] = _literal(program.folder)
    return section


def _literal(value: Path | str) -> str:
    # The supervisor expands %(name)s in every value.
    return str(value).replace("%", "%%")


def _as_text(parser: ConfigParser) -> str:
    stream = StringIO()
    parser.write(stream)
    return stream.getvalue()
