"""Print libpq's connection string of an Airflow Connection: `python -m devtools.local_stack.print_dsn CONNECTION_ID`.

A program of its own, because importing Airflow takes seconds and writes files into AIRFLOW_HOME. The
provider's hook connects once, so that extras and cloud tokens of a Connection count as they do in a task.
"""

from __future__ import annotations

import sys

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from psycopg.conninfo import make_conninfo


def main() -> int:
    """Print the connection string, or the reason on the standard error. Return the exit code."""
    hook = PostgresHook(sys.argv[1])
    try:
        connection = hook.get_conn()
    except psycopg.OperationalError as error:
        # libpq's text names the host and the login, never the password.
        sys.stderr.write("\n" + " ".join(str(error).split()).rstrip("."))
        return 1
    except Exception as error:  # noqa: BLE001 - any text may repeat the Connection, hence its secret
        sys.stderr.write(f"\nit cannot be read ({type(error).__name__})")
        return 1
    with connection:
        if not isinstance(connection, psycopg.Connection):
            sys.stderr.write("\nthe hook did not connect with psycopg 3")
            return 1
        print(make_conninfo("", **connection.info.get_parameters(), password=connection.info.password or None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
