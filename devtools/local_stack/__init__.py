"""The whole system on one machine: databases, invented platforms and Airflow as processes, nothing installed."""
