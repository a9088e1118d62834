"""What a local stack can be asked to be, and where it keeps its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """How the invented platforms behave.

    `creators` is per platform (None: the sandbox's own number), `latency_ms` the mean wait before an answer.
    `arguments` are further ones of `python -m devtools.platform_sandbox`.
    """

    seed: int = 7
    latency_ms: float = 300
    creators: int | None = None
    arguments: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """How a stack runs.

    `folder` holds everything it writes and may be deleted while the stack is down. Port 0 means any free port.
    `triggerers` is the number of triggerer processes, `parallelism` that of task instances in workers at once.
    With `only_databases` neither platforms nor Airflow are started. `environment` goes to every process and wins over
    everything else.
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
        """What Airflow calls AIRFLOW_HOME: its logs and its generated configuration."""
        return self.folder / "airflow"

    @property
    def postgres_data(self) -> Path:
        """The data folder of the embedded Postgres."""
        return self.folder / "postgres"

    @property
    def log_folder(self) -> Path:
        """One file of output per process."""
        return self.folder / "log"

    @property
    def passwords_file(self) -> Path:
        """Where Airflow's simple auth manager reads the passwords of its users."""
        return self.airflow_home / "passwords.json"
