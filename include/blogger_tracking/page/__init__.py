"""The Bloggers page inside Airflow's UI: its JSON API, its thumbnails and its built files.

A FastAPI app that an Airflow plugin mounts at `/bloggers`. Airflow's login and permissions guard every route.
"""
