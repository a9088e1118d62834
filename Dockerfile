FROM apache/airflow:3.3.2

COPY requirements.txt requirements.lock /opt/airflow/
RUN pip install --no-cache-dir --requirement /opt/airflow/requirements.txt --constraint /opt/airflow/requirements.lock

COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY include /opt/airflow/include

ENV PYTHONPATH=/opt/airflow/include
