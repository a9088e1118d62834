"""Kinds that break lines to the databases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from devtools.chaos.faulty_line import LineFailure, LineFault
from devtools.chaos.kinds.kind import ANYWHERE, FETCHING, Kind
from devtools.chaos.trial import Point, Trial

_TRANSACTIONS = {
    "planning": b"insert into blogger_tracking.runs",
    "claims": b"insert into blogger_tracking.fetch_attempts",
    "saving": b"insert into blogger_tracking.videos",
}
_TIMES = {"planning": 1, "claims": 4, "saving": 4}
_SLUGS = {
    LineFailure.BEFORE_COMMIT: "cut-before-commit",
    LineFailure.AFTER_COMMIT: "cut-after-commit",
    LineFailure.SILENT: "silent",
}
_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.1


def _fail(failure: LineFailure, transaction: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        fault = LineFault(failure, _TRANSACTIONS[transaction], _TIMES[transaction])
        trial.stack.line.inject(fault)
        deadline = time.monotonic() + _WAIT_SECONDS
        while trial.stack.line.failed < fault.times and not trial.has_ended() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        trial.notes.append(f"failed lines: {trial.stack.line.failed}")

    return inject


def _cut_all(trial: Trial) -> None:
    trial.notes.append(f"cut lines: {trial.stack.line.cut_all()}")


def _cut_repeatedly(trial: Trial) -> None:
    for _ in range(trial.random.randint(3, 6)):
        trial.stack.line.cut_all()
        time.sleep(trial.random.uniform(0.2, 1.0))


def _end_backends_of_airflow(trial: Trial) -> None:
    trial.ask_airflow(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


def _end_backends(trial: Trial) -> None:
    trial.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


def _broken_transactions() -> Iterator[Kind]:
    for transaction in _TRANSACTIONS:
        for failure in LineFailure:
            yield Kind(
                name=f"{transaction}-line-{_SLUGS[failure]}",
                sentence=f"{_number(_TIMES[transaction])} of {transaction}: the line {_verb(failure)}",
                points=(Point.TRIGGERED,) if transaction == "planning" else (Point.PLANNED, Point.CLAIMED),
                inject=_fail(failure, transaction),
                slow_reason="a failed plan task is retried after 20 seconds" if transaction == "planning" else None,
            )


def _verb(failure: LineFailure) -> str:
    return "falls silent" if failure is LineFailure.SILENT else f"is cut {failure.value}"


def _number(transactions: int) -> str:
    return "a transaction" if transactions == 1 else f"{transactions} transactions"


KINDS = (
    *_broken_transactions(),
    Kind(
        name="all-lines-cut",
        sentence="all connections to the application's database cut at once",
        points=ANYWHERE,
        inject=_cut_all,
        slow_reason="a failed plan task is retried after 20 seconds",
    ),
    Kind(
        name="lines-cut-again-and-again",
        sentence="all connections to the application's database cut, several times within seconds",
        points=FETCHING,
        inject=_cut_repeatedly,
        # Each cut may use up a try: the retries are a second apart here, and minutes as shipped.
        follow_up=True,
    ),
    Kind(
        name="backends-ended",
        sentence="pg_terminate_backend of all connections to the application's database",
        points=FETCHING,
        inject=_end_backends,
    ),
    Kind(
        name="airflow-lines-cut-after-planning",
        sentence="pg_terminate_backend of all connections to Airflow's database, right after planning",
        points=(Point.PLANNED,),
        inject=_end_backends_of_airflow,
        slow_reason="Airflow's processes end and start again, and tasks of a plan are retried",
    ),
    Kind(
        name="airflow-lines-cut",
        sentence="pg_terminate_backend of all connections to Airflow's database",
        points=(Point.CLAIMED, Point.SETTLED, Point.GATE),
        inject=_end_backends_of_airflow,
        slow_reason="Airflow's processes end and start again",
    ),
)
