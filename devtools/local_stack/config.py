"""Configuration of a local stack, the places of its files, and its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blogger_tracking.domain.errors import BloggerTrackingError

PROJECT_ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
BLOGGERS_PAGE = "/plugin/bloggers"
"""Path of the Bloggers page in Airflow's UI."""


class StackError(BloggerTrackingError):
    """The stack could not be started, reached or stopped. The message says why, what was kept and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Configuration of the platform sandbox.

    `creators` is per platform (None: the sandbox's default), `latency_ms` the mean delay of a response.
    `arguments` are further arguments of `python -m devtools.platform_sandbox`.
    """

    seed: int = 7
    latency_ms: float = 300
    creators: int | None = None
    arguments: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """Configuration of a stack.

    `folder` holds all files of the stack and may be deleted while the stack is down. Port 0 means any free port.
    `triggerers` is the number of triggerer processes, `parallelism` the number of task instances in workers at once.
    With `only_databases` neither the sandbox nor Airflow is started. `environment` is passed to every process and
    overrides all other variables.
    """

    folder: Path = PROJECT_ROOT / "var"
    sandbox: SandboxConfig = SandboxConfig()
    triggerers: int = 1
    parallelism: int = 8
    api_port: int = 0
    sandbox_port: int = 0
    only_databases: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def airflow_home(self) -> Path:
        """Folder of Airflow's logs and of its generated configuration (AIRFLOW_HOME)."""
        return self.folder / "airflow"

    @property
    def postgres_data(self) -> Path:
        """Data folder of the embedded Postgres."""
        return self.folder / "postgres"

    @property
    def log_folder(self) -> Path:
        """Folder with one output file per process."""
        return self.folder / "log"

    @property
    def passwords_file(self) -> Path:
        """File with the passwords of the users of Airflow's simple auth manager."""
        return self.airflow_home / "passwords.json"
