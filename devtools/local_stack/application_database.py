"""The application's database, brought up to this code and checked as the pipeline will see it."""

from __future__ import annotations

from blogger_tracking.database.connections import connect, require_ready
from blogger_tracking.database.migrate import apply_migrations
from devtools.local_stack.embedded_postgres import PIPELINE_LOGIN

_GRANT_TO_EMBEDDED_LOGIN = f"grant blogger_pipeline to {PIPELINE_LOGIN}"


def migrate_application(admin_dsn: str, *, embedded: bool) -> list[str]:
    """Apply what is missing and return its names. Raises DatabaseStateError.

    An embedded database has a login for the pipeline, which gets the pipeline's role; elsewhere the login is made and
    granted by whoever owns the database.
    """
    with connect(admin_dsn) as connection:
        applied = apply_migrations(connection)
        if embedded:
            connection.execute(_GRANT_TO_EMBEDDED_LOGIN)
        return applied


def require_usable(pipeline_dsn: str) -> None:
    """Raise DatabaseStateError unless the pipeline can work with the database as it is."""
    with connect(pipeline_dsn) as connection:
        require_ready(connection)
