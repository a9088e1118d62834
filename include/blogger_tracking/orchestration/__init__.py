"""Airflow side: operator, trigger, tasks, Connections, labels, Sentry. The only package that imports Airflow."""
