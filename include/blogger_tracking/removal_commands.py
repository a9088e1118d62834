"""Commands that remove a person, a blogger or an organization, with a question before."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection
from rich.console import Console

from blogger_tracking.database.connections import require_ready
from blogger_tracking.domain.models import Platform
from blogger_tracking.terminal_tables import count_table, terminal
from blogger_tracking.usecases.remove_subjects import (
    Removal,
    find_blogger,
    find_organization,
    find_person,
    remove_blogger,
    remove_organization,
    remove_person,
)


@dataclass(frozen=True, slots=True)
class RemovalCommand:
    """A command with its line in `--help`, its question, and its arguments, which both functions take by name."""

    run: Callable[..., int]
    help: str
    confirm: Callable[..., bool]
    add_options: Callable[[argparse.ArgumentParser], None]


def add_blogger_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `remove-blogger`."""
    parser.add_argument("platform", type=_platform, help="TikTok, Instagram or YouTube")
    parser.add_argument("blogger", help="username, external id or id of the blogger")


def add_person_options(parser: argparse.ArgumentParser) -> None:
    """Add the argument of `remove-person`."""
    parser.add_argument("user_id", type=UUID, help="id of the person in auth.users")


def add_organization_options(parser: argparse.ArgumentParser) -> None:
    """Add the argument of `remove-organization`."""
    parser.add_argument("organization_id", type=UUID, help="id of the organization")


def confirm_blogger(connection: Connection, *, platform: Platform, blogger: str) -> bool:
    """Print what is removed with a blogger, ask, and return True for the answer "remove"."""
    require_ready(connection)
    found = find_blogger(connection, platform, blogger)
    return found is None or _confirm(f"To remove: {found.name}", found)


def confirm_person(connection: Connection, *, user_id: UUID) -> bool:
    """Print the rows that name a person, ask, and return True for the answer "remove"."""
    require_ready(connection)
    person = find_person(connection, user_id)
    return _confirm(_rows_of_person(person), person)


def confirm_organization(connection: Connection, *, organization_id: UUID) -> bool:
    """Print what is removed with an organization, ask, and return True for the answer "remove"."""
    require_ready(connection)
    organization = find_organization(connection, organization_id)
    return _confirm(f"To remove: {organization.name}", organization)


def remove_named_blogger(connection: Connection, console: Console, *, platform: Platform, blogger: str) -> int:
    """Remove everything about a blogger, and print the numbers of rows that were counted before."""
    require_ready(connection)
    found = find_blogger(connection, platform, blogger)
    if found is None:
        console.print(f"There is no blogger {blogger} of {platform}. Nothing to remove.", highlight=False, markup=False)
        return 0
    # Importing Airflow writes a configuration file into AIRFLOW_HOME; only this command needs the storage.
    from blogger_tracking.orchestration.thumbnail_store import thumbnail_store  # noqa: PLC0415 - importing Airflow writes a file

    remove_blogger(connection, thumbnail_store(), found)
    _report(console, found)
    return 0


def remove_named_person(connection: Connection, console: Console, *, user_id: UUID) -> int:
    """Remove a person from the schema, and print the numbers of rows that named the person.

    Accounts that the person added are among these rows: they stay, and no longer name the person.
    """
    require_ready(connection)
    found = find_person(connection, user_id)
    console.print(count_table(_rows_of_person(found), remove_person(connection, found)))
    console.print("The person was removed from these rows.", highlight=False)
    return 0


def remove_named_organization(connection: Connection, console: Console, *, organization_id: UUID) -> int:
    """Remove an organization, and print the numbers of rows that were counted before."""
    require_ready(connection)
    found = find_organization(connection, organization_id)
    remove_organization(connection, found)
    _report(console, found)
    return 0


def _rows_of_person(person: Removal) -> str:
    return f"Rows that name {person.name}"


def _confirm(title: str, found: Removal) -> bool:
    terminal().print(count_table(title, found.counts))
    if sys.stdin.isatty() and input('Type "remove" to go on: ').strip() == "remove":
        return True
    Console(stderr=True).print('Nothing was removed. To go on, answer "remove" or pass --yes.')
    return False


def _report(console: Console, found: Removal) -> None:
    console.print(count_table(f"Removed: {found.name} (rows counted before the removal)", found.counts))


def _platform(text: str) -> Platform:
    for platform in Platform:
        if platform.casefold() == text.casefold():
            return platform
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(Platform)}")


REMOVAL_COMMANDS: Mapping[str, RemovalCommand] = {
    "remove-person": RemovalCommand(
        remove_named_person, "remove a person from all tables, after a question", confirm_person, add_person_options
    ),
    "remove-blogger": RemovalCommand(
        remove_named_blogger,
        "remove everything about a blogger, with the stored thumbnails, after a question",
        confirm_blogger,
        add_blogger_options,
    ),
    "remove-organization": RemovalCommand(
        remove_named_organization,
        "remove an organization with its usage, accounts and links, after a question",
        confirm_organization,
        add_organization_options,
    ),
}
