"""Rules and models of the domain: pure functions and values, no I/O and no Airflow."""
