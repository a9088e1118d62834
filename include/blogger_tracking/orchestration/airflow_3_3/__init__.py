"""Reliance on internals of Airflow 3.3, one module for each.

Every module says which internal the project relies on, the Airflow that the reliance was verified against, the setting
that turns the reliance off, and the test against the installed Airflow that fails when the assumption stops holding.
docs/upgrading-airflow.md has the procedure for a new Airflow.
"""
