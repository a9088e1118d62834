"""Trial of the Compose file without a container engine, run by test_native_trial.py in namespaces of its own.

The services of the profile demo become healthy, a batch runs with two workers and two triggerers, one of each is killed
at work, and a triggerer that hangs is ended and started again. Then the default profile is installed as in
docs/deployment.md, with other passwords than before, in an empty database behind a transaction-mode pooler, and every
secret is rotated in the middle of a batch. The result is one line of JSON. TRIAL_BLOGGERS adds so many bloggers, to
measure the runs.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import jwt
import psycopg
import requests
from psycopg import sql

from blogger_tracking.database.connections import connect
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Platform
from devtools.bench.bench_fleets import Fleets
from devtools.local_stack.config import PROJECT_ROOT
from devtools.platform_sandbox import Creator, FaultKind, World
from devtools.platform_sandbox.sandbox_admin import SandboxAdmin
from tests.docker.outside_services import OutsideServices
from tests.docker.secret_rotation import Tokens, accepted_secrets, rotated, with_values
from tests.docker.transaction_pooler import TransactionPooler
from tests.support.compose_file import ComposeService, read_services
from tests.support.containers import Containers

_COMPOSE_FILE = PROJECT_ROOT / "docker-compose.yml"
_CHECK = r"^(ok|warning|fault|not checked) +(\w+)"
_START_SECONDS = 400
_RUN_SECONDS = 600
_AGE_FAILURES = "touch --date='10 minutes ago' /tmp/health-check-fails-*"
_API = "http://localhost:8080"
ORIGIN = "https://bloggers.example.org"
"""Origin of the management UI of the default profile."""


_ADDITIONS = 50
_ROTATION_BLOGGERS = 45
_ENDED = {"success", "failed"}
_FETCHED = """
select count(*)
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
where runs.dag_run_id = %s and fetches.conclusive_state is not null
"""
_STATES = "select state, count(*) from blogger_tracking.fetches group by state"
_BUSY = """
select
    (select hostname from task_instance where state = 'running' and hostname like 'worker-%' limit 1) as worker,
    (
        select job.hostname
        from trigger
        join job on job.id = trigger.triggerer_id
        where job.hostname like 'triggerer-%'
        limit 1
    ) as triggerer
"""
_DATA = """
select
    (select count(*) from blogger_tracking.videos) as videos,
    (select count(*) from blogger_tracking.videos where thumbnail_url is not null and thumbnail_path is null)
        as without_thumbnail,
    (select count(*) from blogger_tracking.thumbnail_queue where done_at is null and parked_at is null)
    + (select count(*) from blogger_tracking.high_priority_queue where done_at is null and parked_at is null)
        as waiting
"""


class Trial:
    """One trial; `result` is what has been seen so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bloggers = int(os.environ.get("TRIAL_BLOGGERS", "0"))
        self._fleets = Fleets(World())
        # The demo tracks some of the first creators.
        for platform in list(Platform) * 1_000:
            self._fleets.untracked(platform)
        self._outside = OutsideServices()
        self._sandbox = SandboxAdmin("http://sandbox:8100")
        self.result: dict[str, Any] = {}
        self._prepare(read_services(_COMPOSE_FILE, folder / "env", ["demo"]))

    def run(self) -> None:
        """Run all steps."""
        try:
            self.result["seconds_to_healthy"] = self._start()
            self.result["service_account"] = self._try_service_account()
            if self._bloggers:
                self.result["seconds_undisturbed"] = self._undisturbed_batch()
            self._disturbed_batch()
            self.result["arguments"] = self._look_at_arguments()
            self.result["log_files"] = self._look_at_log_files()
            self._hang()
            self._containers.stop_all()
            self._start_default_profile()
            if self._bloggers:
                self.result["seconds_with_one_of_each"] = self._undisturbed_batch()
            self.result["rotation"] = self._rotate_secrets()
            # After the others: the initial fetches go on for a while, and would be measured with what follows.
            self.result["additions"] = self._fifty_additions()
            self.result["signals"] = self._signals_of_a_suspension()
        finally:
            self._containers.stop_all()

    def _start_default_profile(self) -> None:
        """Follow the steps 7 to 10 of docs/deployment.md."""
        env_file = self._folder / "changed-env"
        values = {"BLOGGER_TRACKING_ALLOWED_ORIGINS": f'["{ORIGIN}"]', **self._outside.before.values()}
        env_file.write_text(with_values(env_file.read_text(), values))
        default, elsewhere = read_services(_COMPOSE_FILE, env_file), services_elsewhere(env_file)
        self._prepare({**elsewhere, **default})
        self.result["default_profile"] = sorted(default)
        login = _pipeline_login(default)
        self._pooler = TransactionPooler(login)
        self._containers.start_all(_START_SECONDS, only=elsewhere)
        with psycopg.connect(self._dsn, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"create database {urlsplit(self._dsn).path.removeprefix('/')}".encode())
        self._containers.start_all(_START_SECONDS, only={"init", "airflow-logins", "postgres", "redis"})
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(_statement_of_step_8(login["pipeline_login"]))
        self.result["seconds_to_healthy_again"] = self._start()
        self._wait(lambda: self._knows_dags(self._token()), "the DAG files are parsed")
        self._containers.run_in("scheduler-1", ["python", "-m", "blogger_tracking.cli", "doctor"])
        # The output is in the file of the health checks, too.
        printed = re.findall(_CHECK, (self._folder / "scheduler-1.health.log").read_text(), re.MULTILINE)
        self.result["doctor"] = {name: status for status, name in printed}
        headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        answer = requests.options(f"{_API}/blogger/add", headers=headers, timeout=30)
        self.result["allowed_origin"] = answer.headers.get("Access-Control-Allow-Origin")

    def _rotate_secrets(self) -> dict[str, Any]:
        """Rotate every secret of `.env` in the middle of a batch, as docs/deployment.md says."""
        with connect(self._dsn) as connection:
            self._fleets.track(connection, _ROTATION_BLOGGERS)
        before, tokens = self._services, self._tokens()
        dag_run = self._trigger(tokens.airflow)
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            self._wait(lambda: _fetched(connection, dag_run) >= 5, "five fetches have ended")
            accepted_before = accepted_secrets(before, _API, tokens)
            self._write_rotated_secrets(connection)
            self.result["fetched_before_rotation"] = _fetched(connection, dag_run)
            self.result["seconds_to_healthy_after_rotation"] = self._start()
            self._revoke_keys(before)
            fernet = self._containers.run_in("scheduler-1", ["airflow", "rotate-fernet-key"])
            self._wait(lambda: self._run(self._token(), dag_run)["state"] in _ENDED, "the run has ended")
            self._wait(lambda: _data(connection)["waiting"] == 0, "the queues are empty")
            return {
                "accepted_before": sorted(accepted_before),
                "still_accepted": sorted(accepted_secrets(before, _API, tokens)),
                "accepted_after": sorted(accepted_secrets(self._services, _API, self._tokens())),
                "fernet": fernet,
                "run_state": self._run(self._token(), dag_run)["state"],
                "states": _states(connection),
                "data": _data(connection),
                "thumbnails": self._outside.storage.count(),
                "violations": check_invariants(connection),
            }

    def _write_rotated_secrets(self, connection: psycopg.Connection) -> None:
        """Change the passwords in the application's database, then `.env`, and kill all services of Compose."""
        env_file = self._folder / "rotated-env"
        changed = rotated((self._folder / "changed-env").read_text(encoding="utf-8"))
        env_file.write_text(with_values(changed, self._outside.after.values()), encoding="utf-8")
        services = self._services | read_services(_COMPOSE_FILE, env_file)
        owner = urlsplit(services["init"].environment["AIRFLOW_CONN_BLOGGER_DB_ADMIN"])
        passwords = _pipeline_login(services)
        for login, password in {**passwords, str(owner.username): str(owner.password)}.items():
            connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(login), password))
        self._pooler.change_passwords(passwords)
        self._containers.change(services)
        self._read(services)

    def _revoke_keys(self, before: dict[str, ComposeService]) -> None:
        """Let the platforms and the object storage refuse the keys from before the rotation."""
        platform = json.loads(before["init"].environment["AIRFLOW_CONN_TIKTOK_API"])
        self._sandbox.inject({"kind": FaultKind.INVALID_CREDENTIALS, "key": platform["password"]})
        self._outside.storage.revoke(self._outside.before.storage)

    def _signals_of_a_suspension(self) -> dict[str, Any]:
        """Let a platform refuse its key; return what arrives in Sentry and in the channel of the alerts, and where."""
        self._sandbox.inject({"kind": FaultKind.INVALID_CREDENTIALS, "platform": Platform.YOUTUBE})
        before, after = self._outside.before, self._outside.after
        seen = len(before.sentry.events()), len(before.channel.bodies)
        with connect(self._dsn) as connection:
            organization = self._fleets.organization(connection, "Suspension")
            owner = self._fleets.owner(connection, organization)
        self._add(self._fleets.untracked(Platform.YOUTUBE), organization, self._member_token(owner))
        self._wait(lambda: any("is suspended" in each for each in after.sentry.messages()), "an event in Sentry")
        self._trigger(self._token(), "health_watch")
        self._wait(lambda: any(b"is suspended" in body for body in after.channel.bodies), "an alert in the channel")
        return {"with_old_secrets": [len(before.sentry.events()) - seen[0], len(before.channel.bodies) - seen[1]]}

    def _look_at_arguments(self) -> dict[str, Any]:
        """Return how many processes there are, and the programs that show a secret of `.env` in their arguments."""
        secrets = self._secrets()
        arguments = []
        for folder in Path("/proc").iterdir():
            # The processes of root are those that stand in for the container engine. Others may end at any time.
            with suppress(OSError):
                if folder.name.isdigit() and folder.stat().st_uid != 0:
                    arguments.append((folder / "cmdline").read_bytes().decode(errors="replace"))
        shown = [each.partition("\0")[0] for each in arguments if any(secret in each for secret in secrets)]
        return {"processes": len(arguments), "secrets": len(secrets), "shown": sorted(shown)}

    def _secrets(self) -> set[str]:
        """Return the random values of the file `.env`."""
        return set(re.findall(r"\b[0-9a-f]{64}\b", (self._folder / "env").read_text(encoding="utf-8")))

    def _look_at_log_files(self) -> dict[str, Any]:
        """Return the services that wrote log files, and the files that other users than the owner may read or write."""
        logs = self._containers.volume("logs")
        files = [file for file in logs.rglob("*") if file.is_file()]
        shown = [str(file.relative_to(logs)) for file in files if file.stat().st_mode & 0o077]
        return {"writers": sorted({_writer(file) for file in files}), "shown": sorted(shown)}

    def _prepare(self, services: dict[str, ComposeService]) -> None:
        self._containers = Containers(services, self._folder)
        self._read(services)

    def _read(self, services: dict[str, ComposeService]) -> None:
        self._services = services
        environment = services["init"].environment
        self._dsn = environment["AIRFLOW_CONN_BLOGGER_DB_ADMIN"]
        self._airflow_dsn = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
        self._password = environment["ADMIN_PASSWORD"]
        self._service_password = environment["SERVICE_PASSWORD"]
        self._supabase = json.loads(environment["AIRFLOW_CONN_SUPABASE_AUTH"])

    def _start(self) -> float:
        began = time.monotonic()
        self._containers.start_all(_START_SECONDS)
        return round(time.monotonic() - began, 1)

    def _try_service_account(self) -> dict[str, int]:
        """Return the status of requests of the service account, by what they ask for."""
        self._wait(lambda: self._knows_dags(self._token()), "the DAG files are parsed")
        token = self._token("blogger_tracking", self._service_password)
        headers = {"Authorization": f"Bearer {token}"}
        runs = {
            dag_id: requests.post(
                f"{_API}/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None}, headers=headers, timeout=30
            ).status_code
            for dag_id in ("blogger_batch_fetch", "blogger_initial_fetch")
        }
        others = {
            path: requests.get(f"{_API}/api/v2/{path}", headers=headers, timeout=30).status_code
            for path in ("connections", "variables", "dags/blogger_initial_fetch/dagRuns")
        }
        return runs | others

    def _knows_dags(self, token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        dags = ("blogger_batch_fetch", "blogger_initial_fetch")
        return all(requests.get(f"{_API}/api/v2/dags/{dag}", headers=headers, timeout=30).ok for dag in dags)

    def _hang(self) -> None:
        hanging = "triggerer-2"
        self._containers.freeze(hanging)
        self._wait(lambda: not self._containers.is_healthy(hanging), "the health check fails")
        # As if the check had failed for ten minutes.
        self._containers.run_in(hanging, ["sh", "-c", _AGE_FAILURES])
        self._containers.is_healthy(hanging)
        self._wait(lambda: self._containers.running[hanging].starts > 1, "the container was started again")
        self._wait(lambda: self._containers.is_healthy(hanging), "the triggerer is healthy again")

    def _undisturbed_batch(self) -> float:
        self._track()
        token = self._token()
        dag_run = self._trigger(token)
        self._wait(lambda: self._run(token, dag_run)["state"] in _ENDED, "the run has ended")
        return self._seconds(token, dag_run)

    def _fifty_additions(self) -> dict[str, Any]:
        """Add fifty bloggers at once; return the answers, the runs, and the times of Airflow's own route meanwhile."""
        with connect(self._dsn) as connection:
            organization = self._fleets.organization(connection, "Additions")
            owner = self._fleets.owner(connection, organization)
        member = self._member_token(owner)
        creators = [self._fleets.untracked(list(Platform)[number % 3]) for number in range(_ADDITIONS)]
        token = self._token()
        seconds, connections = [], []
        with ThreadPoolExecutor(_ADDITIONS) as executor, psycopg.connect(self._airflow_dsn, autocommit=True) as airflow:
            additions = [executor.submit(self._add, creator, organization, member) for creator in creators]
            while not all(addition.done() for addition in additions):
                seconds.append(self._seconds_of_route(token))
                connections.append(int(fetch_value(airflow, "select count(*) from pg_stat_activity")))
        answers = [addition.result() for addition in additions]
        return {
            "statuses": sorted({status for status, _ in answers}),
            "runs": sum(self._run(token, run, "blogger_initial_fetch")["state"] != "failed" for _, run in answers),
            "route_seconds": sorted(round(each, 2) for each in seconds),
            "most_connections": max(connections),
        }

    def _add(self, creator: Creator, organization: UUID, token: str) -> tuple[int, str]:
        """Add a blogger; return the status of the answer, and the run of the initial fetch."""
        body = {"username": creator.username, "platform": creator.platform, "organizationId": str(organization)}
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(f"{_API}/blogger/add", json=body, headers=headers, timeout=60)
        return answer.status_code, answer.json().get("initialFetch", {}).get("dagRunId", "")

    def _seconds_of_route(self, token: str) -> float:
        began = time.monotonic()
        answer = requests.get(f"{_API}/api/v2/dags", headers={"Authorization": f"Bearer {token}"}, timeout=60)
        answer.raise_for_status()
        return time.monotonic() - began

    def _tokens(self) -> Tokens:
        return Tokens(self._token(), self._member_token(uuid4()))

    def _member_token(self, user: UUID) -> str:
        claims = {
            "sub": str(user),
            "aud": "authenticated",
            "iss": self._supabase["host"],
            "exp": int(time.time()) + 3600,
        }
        return jwt.encode(claims, self._supabase["password"], algorithm="HS256")

    def _track(self) -> None:
        """Replace the bloggers of the demo by new ones, if the runs are to be measured."""
        if self._bloggers:
            with connect(self._dsn) as connection:
                self._fleets.track(connection, self._bloggers)

    def _disturbed_batch(self) -> None:
        self._track()
        token = self._token()
        dag_run = self._trigger(token)
        with (
            psycopg.connect(self._dsn, autocommit=True) as connection,
            psycopg.connect(self._airflow_dsn, autocommit=True) as airflow,
        ):
            self._wait(lambda: _fetched(connection, dag_run) >= 5, "five fetches have ended")
            self._wait(lambda: all(_busy(airflow)), "a worker and a triggerer are at work")
            killed = _busy(airflow)
            self.result["killed"] = sorted(killed)
            self.result["fetched_before_kills"] = _fetched(connection, dag_run)
            for name in killed:
                self._containers.running[name].kill()
            self._wait(lambda: self._run(token, dag_run)["state"] in _ENDED, "the run has ended")
            self.result["run_state"] = self._run(token, dag_run)["state"]
            self.result["seconds_with_kills"] = self._seconds(token, dag_run)
            self._wait(lambda: _data(connection)["waiting"] == 0, "the queues are empty")
            self._wait(lambda: all(map(self._containers.is_healthy, killed)), "both are up again")
            self.result["starts"] = {name: each.starts for name, each in self._containers.running.items()}
            self.result["states"] = _states(connection)
            self.result.update(_data(connection))
            self.result["violations"] = check_invariants(connection)
        self.result["thumbnails"] = sum(
            1 for file in self._containers.volume("thumbnails").rglob("*") if file.is_file()
        )

    def _wait(self, condition: Callable[[], bool], description: str) -> None:
        deadline = time.monotonic() + _RUN_SECONDS
        while not condition():
            self._containers.restart_ended()
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {_RUN_SECONDS} s: {description}; so far {self.result}")
            time.sleep(1)

    def _token(self, name: str = "admin", password: str | None = None) -> str:
        login = {"username": name, "password": password or self._password}
        answer = requests.post(f"{_API}/auth/token", json=login, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _trigger(self, token: str, dag_id: str = "blogger_batch_fetch") -> str:
        url = f"{_API}/api/v2/dags/{dag_id}/dagRuns"
        deadline = time.monotonic() + 120
        while True:
            answer = requests.post(
                url, json={"logical_date": None}, headers={"Authorization": f"Bearer {token}"}, timeout=30
            )
            if answer.ok or time.monotonic() > deadline:
                answer.raise_for_status()
                return str(answer.json()["dag_run_id"])
            # The DAG files are parsed after the processor's start.
            time.sleep(2)

    def _run(self, token: str, dag_run: str, dag_id: str = "blogger_batch_fetch") -> dict[str, Any]:
        url = f"{_API}/api/v2/dags/{dag_id}/dagRuns/{quote(dag_run)}"
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        answer.raise_for_status()
        run: dict[str, Any] = answer.json()
        return run

    def _seconds(self, token: str, dag_run: str) -> float:
        run = self._run(token, dag_run)
        began, ended = (datetime.fromisoformat(run[name]) for name in ("queued_at", "end_date"))
        return round((ended - began).total_seconds(), 1)


def services_elsewhere(env_file: Path) -> dict[str, ComposeService]:
    """Return the services of the profile demo that stand for a hosted database and for the platforms."""
    with_demo = read_services(_COMPOSE_FILE, env_file, ["demo"])
    return {name: with_demo[name] for name in ("demo-database", "demo-logins", "sandbox")}


def _pipeline_login(services: dict[str, ComposeService]) -> dict[str, str]:
    """Return the password of the pipeline's login in the application's database, by its name."""
    login = urlsplit(services["init"].environment["AIRFLOW_CONN_BLOGGER_DB"])
    return {str(login.username): str(login.password)}


def _statement_of_step_8(password: str) -> bytes:
    page = (PROJECT_ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    [statement] = re.findall(r"^ *(create role pipeline_login .+;)$", page, re.MULTILINE)
    return str(statement).replace("PASSWORD", password).encode()


def _writer(file: Path) -> str:
    """Return the service that wrote a log file, by the names that Airflow gives to its logs."""
    if "dag_processor" in file.parts:
        return "dag-processor"
    return "triggerer" if ".trigger." in file.name else "worker"


def _busy(airflow: psycopg.Connection) -> tuple[str, ...]:
    """Return the names of a worker that runs a task and of a triggerer that has a trigger; None if there is none."""
    [names] = airflow.execute(_BUSY).fetchall()
    return tuple(names)


def _states(connection: psycopg.Connection) -> dict[str, int]:
    return {str(state): int(count) for state, count in connection.execute(_STATES).fetchall()}


def _fetched(connection: psycopg.Connection, dag_run: str) -> int:
    return int(fetch_value(connection, _FETCHED, (dag_run,)))


def _data(connection: psycopg.Connection) -> dict[str, int]:
    cursor = connection.execute(_DATA)
    [row] = cursor.fetchall()
    return dict(zip((column.name for column in cursor.description or ()), row, strict=True))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def main(folder: str) -> int:
    """Run the trial with the files of a folder, and print its result."""
    _run("ip", "link", "set", "lo", "up")
    trial = Trial(Path(folder))
    # The names of the services, as containers know them.
    _run("mount", "--bind", f"{folder}/hosts", "/etc/hosts")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    trial.run()
    sys.stdout.write(json.dumps(trial.result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
