"""The HTTP API for users of the management UI: a FastAPI app that an Airflow plugin mounts at `/blogger`."""
