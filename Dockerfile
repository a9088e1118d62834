FROM apache/airflow:3.3.2

COPY requirements.txt requirements.lock /opt/airflow/
RUN pip install --no-cache-dir --requirement /opt/airflow/requirements.txt --constraint /opt/airflow/requirements.lock

# A named volume takes the owner of the folder that it is mounted on; without the folder, root would own the volume.
USER root
RUN install --directory --owner=airflow --group=root --mode=0775 /opt/airflow/logs /opt/airflow/thumbnails
USER airflow

COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY include /opt/airflow/include

ENV PYTHONPATH=/opt/airflow/include
