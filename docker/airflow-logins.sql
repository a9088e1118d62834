-- Database and login of Airflow, and the passwords of .env. Run at each start, through Postgres' socket.

\getenv superuser_password POSTGRES_PASSWORD
\getenv airflow_password AIRFLOW_DATABASE_PASSWORD

alter role postgres password :'superuser_password';

select 'create role airflow login'
where not exists (select from pg_roles where rolname = 'airflow')
\gexec
alter role airflow password :'airflow_password';

select 'create database airflow owner airflow'
where not exists (select from pg_database where datname = 'airflow')
\gexec
-- A killed process may leave a child that holds a transaction open, which would block Airflow.
alter database airflow set idle_in_transaction_session_timeout = '60s';
