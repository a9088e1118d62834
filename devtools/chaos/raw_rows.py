"""Rows of the ledger as they are stored, read without any statement of the package, for the independent checks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

Row: TypeAlias = dict[str, Any]


@dataclass(kw_only=True)
class RawRows:
    """All rows that one fleet has in the application's database, each as a dictionary by column.

    `messages` are those of both queues, with the additional key `queue`.
    """

    accounts: list[Row] = field(default_factory=list)
    usages: list[Row] = field(default_factory=list)
    runs: list[Row] = field(default_factory=list)
    fetches: list[Row] = field(default_factory=list)
    allocations: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    videos: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    statistics: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)


def read_raw_rows(connection: Connection, organizations: Collection[UUID], bloggers: Collection[UUID]) -> RawRows:
    """Return the rows of these organizations and bloggers. The connection must see all rows."""
    parameters: dict[str, object] = {"organizations": list(organizations), "bloggers": list(bloggers)}

    def read(statement: LiteralString) -> list[Row]:
        return connection.cursor(row_factory=dict_row).execute(statement, parameters).fetchall()

    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        rows = RawRows(
            accounts=read(
                "select * from blogger_tracking.tracked_accounts where organization_id = any(%(organizations)s)"
            ),
            usages=read(
                "select * from blogger_tracking.subscription_usage where organization_id = any(%(organizations)s)"
            ),
            fetches=read("select * from blogger_tracking.fetches where blogger_id = any(%(bloggers)s)"),
            videos=read("select * from blogger_tracking.videos where blogger_id = any(%(bloggers)s)"),
            links=read(
                "select * from blogger_tracking.organization_videos where organization_id = any(%(organizations)s)"
            ),
        )
        parameters["fetches"] = [row["id"] for row in rows.fetches]
        parameters["runs"] = [row["run_id"] for row in rows.fetches]
        parameters["videos"] = [row["id"] for row in rows.videos]
        rows.runs = read("select * from blogger_tracking.runs where id = any(%(runs)s)")
        rows.allocations = read("select * from blogger_tracking.fetch_allocations where fetch_id = any(%(fetches)s)")
        rows.attempts = read("select * from blogger_tracking.fetch_attempts where fetch_id = any(%(fetches)s)")
        rows.statistics = read("select * from blogger_tracking.video_statistics where video_id = any(%(videos)s)")
        rows.messages = read(
            "select *, 'high_priority_queue' as queue from blogger_tracking.high_priority_queue "
            "where fetch_id = any(%(fetches)s)"
        ) + read(
            "select *, 'thumbnail_queue' as queue from blogger_tracking.thumbnail_queue "
            "where fetch_id = any(%(fetches)s)"
        )
    return rows
