"""The HTTP surface for people in a browser: a FastAPI app that an Airflow plugin mounts at `/blogger`."""
