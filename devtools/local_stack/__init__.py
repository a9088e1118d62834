"""The whole system on one machine: databases, platform sandbox and Airflow as processes, without installation."""
