#!/bin/sh
# The Postgres image runs this script once, with an empty data folder.
set -eu

psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
    --set airflow_password="$AIRFLOW_DATABASE_PASSWORD" \
    --set pipeline_password="$PIPELINE_DATABASE_PASSWORD" <<'SQL'
create role airflow login password :'airflow_password';
create database airflow owner airflow;
-- A killed process may leave a child that holds a transaction open, which would block Airflow.
alter database airflow set idle_in_transaction_session_timeout = '60s';

create database bloggers;
create role blogger_pipeline nologin;
create role pipeline login password :'pipeline_password' in role blogger_pipeline;
SQL
