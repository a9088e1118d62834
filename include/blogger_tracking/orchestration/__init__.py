"""What runs it: the only part that imports Airflow."""
