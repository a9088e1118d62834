"""The system on one machine without any service installed: databases, platforms and Airflow as processes."""
