"""What we know: models, quotas, errors. No I/O and no Airflow."""
