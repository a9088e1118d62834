"""Everything that relies on an internal of Airflow 3.3, each with a setting that turns the reliance off."""
