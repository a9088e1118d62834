"""Version of Airflow that this code was verified against. docs/upgrading-airflow.md has the steps of a change."""

AIRFLOW_VERSION = "3.3.2"
