-- Database and login of the demo's bloggers, and the passwords of .env. Run at each start, through Postgres' socket.

\getenv superuser_password POSTGRES_PASSWORD
\getenv pipeline_password PIPELINE_DATABASE_PASSWORD

select :'pipeline_password' = '' as is_missing
\gset
\if :is_missing
    do $$ begin raise 'PIPELINE_DATABASE_PASSWORD in .env is empty. Nothing was changed. Set a password.'; end $$;
\endif

alter role postgres password :'superuser_password';

select 'create database bloggers'
where not exists (select from pg_database where datname = 'bloggers')
\gexec

select 'create role blogger_pipeline nologin'
where not exists (select from pg_roles where rolname = 'blogger_pipeline')
\gexec
select 'create role pipeline login in role blogger_pipeline'
where not exists (select from pg_roles where rolname = 'pipeline')
\gexec
alter role pipeline password :'pipeline_password';
