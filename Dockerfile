FROM apache/airflow:3.3.2-python3.12 AS airflow

COPY requirements-image.lock /opt/airflow/
RUN pip install --no-cache-dir --require-hashes --requirement /opt/airflow/requirements-image.lock

# A named volume takes the owner of the folder that it is mounted on; without the folder, root would own the volume.
USER root
RUN install --directory --owner=airflow --group=root --mode=0775 /opt/airflow/logs /opt/airflow/thumbnails
COPY --chmod=0755 docker/end-if-hung.sh /usr/local/bin/
USER airflow

COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY include /opt/airflow/include

ENV PYTHONPATH=/opt/airflow/include

# The sandbox of the platforms, and the demo data. Their packages, httptools and uvicorn, are Airflow's own.
FROM airflow AS demo

COPY devtools /opt/airflow/devtools

ENV PYTHONPATH=/opt/airflow/include:/opt/airflow

# The image without the demo, which is built if no target is named.
FROM airflow
