"""What we talk to: platforms, database, storage, and the use cases that put them together. No Airflow."""
