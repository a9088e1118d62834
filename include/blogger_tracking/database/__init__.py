"""Postgres: connections, migrations, and the statements of the ledger."""
