# One image for every Airflow component of docker-compose.yml: the product, its locked packages, no build tools.
FROM python:3.11-slim-bookworm AS packages
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/bongsu
COPY tools/bootstrap.txt tools/
RUN python -m venv /opt/bootstrap && /opt/bootstrap/bin/pip install --no-cache-dir --require-hashes -r tools/bootstrap.txt
COPY requirements.txt requirements.lock ./
# The lock holds the tools of development too: requirements.txt says what is wanted, the lock which file of it.
RUN /opt/bootstrap/bin/uv venv .venv \
    && /opt/bootstrap/bin/uv pip install --python .venv/bin/python --no-cache --compile-bytecode --require-hashes \
        --requirement requirements.txt --constraint requirements.lock

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 tini tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --create-home --home-dir /var/lib/airflow airflow \
    && install -d -o airflow -g airflow /var/lib/bongsu /var/lib/airflow/logs
WORKDIR /opt/bongsu
COPY --from=packages /opt/bongsu/.venv .venv
COPY . .
# The project's folder is on the path and its metadata beside it, so that Airflow finds the provider and the policy.
RUN --mount=type=bind,from=packages,source=/opt/bootstrap,target=/opt/bootstrap \
    /opt/bootstrap/bin/uv pip install --python .venv/bin/python --no-cache --no-deps --editable .
ENV PATH=/opt/bongsu/.venv/bin:$PATH \
    PYTHONPATH=/opt/bongsu \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/bongsu/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/bongsu/plugins \
    BONGSU_HOME=/var/lib/bongsu
USER airflow
ENTRYPOINT ["tini", "--"]
CMD ["airflow", "version"]
